"""Imports on the staff site: staff upload a file, and a worker checks it or imports its users."""

import json

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.api_client import sign_in as tokens_of
from tests.support.factories import PROFILE, make_user
from tests.support.sql import fetch_rows
from tests.support.staff_client import StaffClient, staff_client, stored_value
from tests.support.staff_imports import (
    NEW_IMPORT_PATH,
    USERS_CSV,
    count_import_files,
    follow_redirect,
    from_json,
    import_counts,
    imported_emails,
    newest_import,
    run_import_jobs,
    upload_import,
)
from userapi.transfer import job_worker

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="superuser@example.com")


def test_a_dry_run_writes_nothing_and_its_file_can_then_be_imported(superuser: StaffClient) -> None:
    make_user(superuser.app, email="grace@example.com")
    assert {"dry_run": "true"}.items() <= superuser.form(NEW_IMPORT_PATH).items()

    sent = upload_import(superuser, f"{USERS_CSV}invalid,x\n")
    waiting = follow_redirect(superuser, sent)
    run_import_jobs(superuser.app)
    looked = superuser.get(sent.headers["Location"]).text
    before = imported_emails(superuser.app)
    real = superuser.post(f"{sent.headers['Location']}import/")
    run_import_jobs(superuser.app)
    done = follow_redirect(superuser, real)

    assert "users.csv was uploaded" in waiting
    assert "Dry run results" in looked
    assert "line 3" in looked
    assert "already has this email" in looked
    assert "line 4" in looked
    assert before == ["grace@example.com"]
    assert ">Results<" in done
    assert imported_emails(superuser.app) == ["grace@example.com", "ada@example.com"]
    assert import_counts(superuser.app) == {"read": 3, "made": 1, "there_already": 1, "refused": 1}
    assert superuser.get("/admin/imports/").text.count("users.csv") == 2


def test_the_file_is_deleted_as_soon_as_it_is_imported(superuser: StaffClient) -> None:
    sent = upload_import(superuser, USERS_CSV, dry_run="")
    before = count_import_files(superuser.app)

    run_import_jobs(superuser.app)

    assert (before, count_import_files(superuser.app)) == (1, 0)
    assert "Import now" not in superuser.get(sent.headers["Location"]).text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("users.csv", USERS_CSV),
        ("USERS.JSONL", '{"email": "ada@example.com"}\n{"email": "grace@example.com"}\n'),
        (
            "C:\\dumps\\users.json",
            json.dumps(
                [
                    {
                        "model": "auth.user",
                        "pk": number,
                        "fields": {"password": "!", "last_login": None, "email": email},
                    }
                    for number, email in ((70, "ada@example.com"), (71, "grace@example.com"))
                ]
            ),
        ),
    ],
)
def test_the_format_of_a_file_is_known_by_its_name(superuser: StaffClient, name: str, content: str) -> None:
    upload_import(superuser, content, name, dry_run="")

    run_import_jobs(superuser.app)

    assert newest_import(superuser.app).state == "done"
    assert imported_emails(superuser.app) == ["ada@example.com", "grace@example.com"]


def test_users_that_exist_are_updated_or_stop_the_import_as_chosen(
    superuser: StaffClient,
) -> None:
    make_user(superuser.app, email="grace@example.com", first_name="G.")
    upload_import(superuser, USERS_CSV, dry_run="", on_conflict="fail")
    run_import_jobs(superuser.app)
    stopped = superuser.get(f"/admin/imports/{newest_import(superuser.app).id}/").text
    after_stop = imported_emails(superuser.app)

    upload_import(superuser, USERS_CSV, dry_run="", on_conflict="update")
    run_import_jobs(superuser.app)

    assert "Nothing was imported: line 3: User " in stopped
    assert after_stop == ["grace@example.com"]
    assert imported_emails(superuser.app) == ["grace@example.com", "ada@example.com"]
    assert [
        row.first_name for row in fetch_rows(superuser.app, "SELECT first_name FROM users WHERE email LIKE 'grace%'")
    ] == ["Grace"]
    assert count_import_files(superuser.app) == 0


@pytest.mark.parametrize(
    ("way", "made", "rejected", "zips"),
    [("leave-out-field", 1, 0, [""]), ("refuse-user", 0, 1, []), ("leave-out-profile", 1, 0, [])],
)
def test_a_profile_with_an_invalid_field_is_handled_as_chosen_for_the_dry_run(
    superuser: StaffClient, way: str, made: int, rejected: int, zips: list[str]
) -> None:
    content = json.dumps({"email": "ada@example.com", "profile": PROFILE | {"zip": "SW1A 1AA"}})

    sent = upload_import(superuser, content, "users.jsonl", on_bad_profile=way)
    run_import_jobs(superuser.app)
    looked = import_counts(superuser.app)
    superuser.post(f"{sent.headers['Location']}import/")
    run_import_jobs(superuser.app)

    assert (looked.get("made", 0), looked.get("refused", 0)) == (made, rejected)
    assert import_counts(superuser.app) == looked
    assert (
        "profile.zip: Longer than maximum length 5."
        in superuser.get(f"/admin/imports/{newest_import(superuser.app).id}/").text
    )
    assert [
        row.zip for row in fetch_rows(superuser.app, "SELECT zip FROM user_profiles WHERE city = 'Bath' AND zip = ''")
    ] == zips


def test_a_dump_with_one_object_per_line_is_imported(superuser: StaffClient) -> None:
    fields = {"email": "ada@example.com", "password": "!", "last_login": None}
    upload_import(
        superuser, json.dumps({"model": "auth.user", "pk": 70, "fields": fields}) + "\n", "users.jsonl", dry_run=""
    )

    run_import_jobs(superuser.app)

    assert imported_emails(superuser.app) == ["ada@example.com"]


def test_an_import_that_would_stop_on_conflicts_imports_everyone_without_one(superuser: StaffClient) -> None:
    upload_import(superuser, USERS_CSV, dry_run="", on_conflict="fail")

    run_import_jobs(superuser.app)

    assert (newest_import(superuser.app).state, imported_emails(superuser.app)) == (
        "done",
        ["ada@example.com", "grace@example.com"],
    )


def test_the_audit_log_shows_who_imported_what(superuser: StaffClient) -> None:
    upload_import(superuser, USERS_CSV + "ada@example.com,again\n", dry_run="")
    run_import_jobs(superuser.app)

    found = fetch_rows(
        superuser.app,
        "SELECT action, actor_id, target_id, changes FROM audit_events WHERE action LIKE '%import%' ORDER BY id",
    )

    number = str(newest_import(superuser.app).id)
    assert [(row.action, row.actor_id, row.target_id) for row in found] == [
        ("import.started", superuser.id, number),
        ("users.imported", superuser.id, None),
        ("import.finished", superuser.id, number),
    ]
    started, imported, finished = (from_json(row.changes) for row in found)
    assert started == {"file": [None, "users.csv"], "dry_run": [None, False], "on_conflict": [None, "skip"]}
    assert imported["made"] == finished["made"] == [None, 2]
    assert finished["state"] == [None, "done"]
    assert "ada@" not in str([row.changes for row in found])
    assert "import.finished" in superuser.get("/admin/audit/?kind=import&target=" + number).text


def test_the_report_is_in_the_language_of_the_user_who_started_the_import(superuser: StaffClient) -> None:
    superuser.client.set_cookie("language", "de")
    upload_import(superuser, "email\ninvalid\n")

    run_import_jobs(superuser.app)

    ((_kind, place, _reason),) = from_json(newest_import(superuser.app).report)
    assert place == "Zeile 2"


def test_a_long_report_keeps_the_first_entries_and_counts_the_others(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_worker, "MAX_REPORTED", 3)
    upload_import(superuser, "email\n" + "".join(f"invalid {number}\n" for number in range(10)))

    run_import_jobs(superuser.app)

    page = superuser.get(f"/admin/imports/{newest_import(superuser.app).id}/").text
    assert page.count('<th scope="row">line ') == 3
    assert "and 7 more" in page


def test_pages_of_an_unfinished_import_reload_without_an_inline_script(superuser: StaffClient) -> None:
    sent = upload_import(superuser, USERS_CSV)
    paths = ("/admin/imports/", sent.headers["Location"])
    waiting = [superuser.get(path) for path in paths]
    run_import_jobs(superuser.app)
    done = [superuser.get(path) for path in paths]

    for page in waiting:
        assert 'data-again="3"' in page.text
        assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page.text
        assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert not any("data-again" in page.text or "http-equiv" in page.text for page in done)


def test_the_name_and_content_of_a_file_are_shown_as_text(superuser: StaffClient) -> None:
    upload_import(superuser, 'email\n"<script>alert(1)</script>"\n', "<b>\u202eusers.csv")
    run_import_jobs(superuser.app)

    for path in ("/admin/imports/", f"/admin/imports/{newest_import(superuser.app).id}/"):
        page = superuser.get(path).text
        assert "<script>alert" not in page
        assert "<b>" not in page
        assert "\u202e" not in page


def test_an_imported_user_signs_in_with_their_previous_password(superuser: StaffClient, user: ApiUser) -> None:
    hash_of = stored_value(superuser.app, user.id, "password_hash")
    upload_import(
        superuser, json.dumps({"email": "ada@example.com", "password_hash": hash_of}), "users.jsonl", dry_run=""
    )

    run_import_jobs(superuser.app)

    assert tokens_of(superuser.app, "ada@example.com")["access_token"]
