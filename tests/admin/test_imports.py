"""Imports that staff start: a file goes in at the staff site, a worker looks through it or takes its users in."""

import json
from datetime import timedelta

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
    move_clock,
    newest_import,
    run_import_jobs,
    upload_import,
)
from userapi.transfer import import_pipeline, job_worker

pytestmark = pytest.mark.both


@pytest.fixture
def boss(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True, email="boss@example.com")


def test_a_dry_run_comes_first_and_writes_nothing_and_then_the_file_is_imported_for_real(boss: StaffClient) -> None:
    make_user(boss.app, email="grace@example.com")
    assert {"dry_run": "true"}.items() <= boss.form(NEW_IMPORT_PATH).items()

    sent = upload_import(boss, f"{USERS_CSV}nobody,x\n")
    waiting = follow_redirect(boss, sent)
    run_import_jobs(boss.app)
    looked = boss.get(sent.headers["Location"]).text
    before = imported_emails(boss.app)
    real = boss.post(f"{sent.headers['Location']}import/")
    run_import_jobs(boss.app)
    done = follow_redirect(boss, real)

    assert "users.csv was uploaded" in waiting
    assert "Dry run results" in looked
    assert "line 3" in looked
    assert "already has this email" in looked
    assert "line 4" in looked
    assert before == ["grace@example.com"]
    assert ">Results<" in done
    assert imported_emails(boss.app) == ["grace@example.com", "ada@example.com"]
    assert import_counts(boss.app) == {"read": 3, "made": 1, "there_already": 1, "refused": 1}
    assert boss.get("/admin/imports/").text.count("users.csv") == 2


def test_the_file_goes_as_soon_as_it_is_imported(boss: StaffClient) -> None:
    sent = upload_import(boss, USERS_CSV, dry_run="")
    before = count_import_files(boss.app)

    run_import_jobs(boss.app)

    assert (before, count_import_files(boss.app)) == (1, 0)
    assert "Import now" not in boss.get(sent.headers["Location"]).text


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
def test_every_kind_of_file_is_told_by_its_name(boss: StaffClient, name: str, content: str) -> None:
    upload_import(boss, content, name, dry_run="")

    run_import_jobs(boss.app)

    assert newest_import(boss.app).state == "done"
    assert imported_emails(boss.app) == ["ada@example.com", "grace@example.com"]


def test_a_user_who_is_there_is_changed_when_asked_for_and_an_obstacle_stops_the_whole_when_asked_for(
    boss: StaffClient,
) -> None:
    make_user(boss.app, email="grace@example.com", first_name="G.")
    upload_import(boss, USERS_CSV, dry_run="", on_conflict="fail")
    run_import_jobs(boss.app)
    stopped = boss.get(f"/admin/imports/{newest_import(boss.app).id}/").text
    after_stop = imported_emails(boss.app)

    upload_import(boss, USERS_CSV, dry_run="", on_conflict="update")
    run_import_jobs(boss.app)

    assert "Nothing was imported: line 3: User " in stopped
    assert after_stop == ["grace@example.com"]
    assert imported_emails(boss.app) == ["grace@example.com", "ada@example.com"]
    assert [
        row.first_name for row in fetch_rows(boss.app, "SELECT first_name FROM users WHERE email LIKE 'grace%'")
    ] == ["Grace"]
    assert count_import_files(boss.app) == 0


@pytest.mark.parametrize(
    ("way", "made", "refused", "zips"),
    [("leave-out-field", 1, 0, [""]), ("refuse-user", 0, 1, []), ("leave-out-profile", 1, 0, [])],
)
def test_a_profile_with_a_wrong_field_is_met_as_chosen_from_the_dry_run_on(
    boss: StaffClient, way: str, made: int, refused: int, zips: list[str]
) -> None:
    content = json.dumps({"email": "ada@example.com", "profile": PROFILE | {"zip": "SW1A 1AA"}})

    sent = upload_import(boss, content, "users.jsonl", on_bad_profile=way)
    run_import_jobs(boss.app)
    looked = import_counts(boss.app)
    boss.post(f"{sent.headers['Location']}import/")
    run_import_jobs(boss.app)

    assert (looked.get("made", 0), looked.get("refused", 0)) == (made, refused)
    assert import_counts(boss.app) == looked
    assert (
        "profile.zip: Longer than maximum length 5." in boss.get(f"/admin/imports/{newest_import(boss.app).id}/").text
    )
    assert [
        row.zip for row in fetch_rows(boss.app, "SELECT zip FROM user_profiles WHERE city = 'Bath' AND zip = ''")
    ] == zips


def test_a_dump_with_one_object_a_line_is_taken(boss: StaffClient) -> None:
    fields = {"email": "ada@example.com", "password": "!", "last_login": None}
    upload_import(
        boss, json.dumps({"model": "auth.user", "pk": 70, "fields": fields}) + "\n", "users.jsonl", dry_run=""
    )

    run_import_jobs(boss.app)

    assert imported_emails(boss.app) == ["ada@example.com"]


def test_an_import_that_is_all_or_nothing_takes_all(boss: StaffClient) -> None:
    upload_import(boss, USERS_CSV, dry_run="", on_conflict="fail")

    run_import_jobs(boss.app)

    assert (newest_import(boss.app).state, imported_emails(boss.app)) == (
        "done",
        ["ada@example.com", "grace@example.com"],
    )


def test_the_trail_tells_who_had_what_imported(boss: StaffClient) -> None:
    upload_import(boss, USERS_CSV + "ada@example.com,again\n", dry_run="")
    run_import_jobs(boss.app)

    found = fetch_rows(
        boss.app,
        "SELECT action, actor_id, target_id, changes FROM audit_events WHERE action LIKE '%import%' ORDER BY id",
    )

    number = str(newest_import(boss.app).id)
    assert [(row.action, row.actor_id, row.target_id) for row in found] == [
        ("import.started", boss.id, number),
        ("users.imported", boss.id, None),
        ("import.finished", boss.id, number),
    ]
    started, brought_in, finished = (from_json(row.changes) for row in found)
    assert started == {"file": [None, "users.csv"], "dry_run": [None, False], "on_conflict": [None, "skip"]}
    assert brought_in["made"] == finished["made"] == [None, 2]
    assert finished["state"] == [None, "done"]
    assert "ada@" not in str([row.changes for row in found])
    assert "import.finished" in boss.get("/admin/audit/?kind=import&target=" + number).text


def test_the_report_is_in_the_language_of_whoever_asked(boss: StaffClient) -> None:
    boss.client.set_cookie("language", "de")
    upload_import(boss, "email\nnobody\n")

    run_import_jobs(boss.app)

    ((_kind, place, _reason),) = from_json(newest_import(boss.app).report)
    assert place == "Zeile 2"


def test_of_a_long_report_the_first_are_kept_and_the_others_counted(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_worker, "MAX_REPORTED", 3)
    upload_import(boss, "email\n" + "".join(f"nobody {number}\n" for number in range(10)))

    run_import_jobs(boss.app)

    page = boss.get(f"/admin/imports/{newest_import(boss.app).id}/").text
    assert page.count('<th scope="row">line ') == 3
    assert "and 7 more" in page


def test_pages_of_an_import_that_is_not_over_are_loaded_again_without_an_inline_script(boss: StaffClient) -> None:
    sent = upload_import(boss, USERS_CSV)
    paths = ("/admin/imports/", sent.headers["Location"])
    waiting = [boss.get(path) for path in paths]
    run_import_jobs(boss.app)
    done = [boss.get(path) for path in paths]

    for page in waiting:
        assert 'data-again="3"' in page.text
        assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page.text
        assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert not any("data-again" in page.text or "http-equiv" in page.text for page in done)


def test_what_a_file_calls_itself_and_says_is_shown_as_text(boss: StaffClient) -> None:
    upload_import(boss, 'email\n"<script>alert(1)</script>"\n', "<b>\u202eusers.csv")
    run_import_jobs(boss.app)

    for path in ("/admin/imports/", f"/admin/imports/{newest_import(boss.app).id}/"):
        page = boss.get(path).text
        assert "<script>alert" not in page
        assert "<b>" not in page
        assert "\u202e" not in page


def test_an_imported_user_signs_in_with_the_password_of_before(boss: StaffClient, user: ApiUser) -> None:
    hash_of = stored_value(boss.app, user.id, "password_hash")
    upload_import(boss, json.dumps({"email": "ada@example.com", "password_hash": hash_of}), "users.jsonl", dry_run="")

    run_import_jobs(boss.app)

    assert tokens_of(boss.app, "ada@example.com")["access_token"]


# --- Given up, and forgotten -------------------------------------------------------------------------------


def test_an_import_that_waits_can_be_cancelled(boss: StaffClient) -> None:
    sent = upload_import(boss, USERS_CSV, dry_run="")

    answer = boss.post(f"{sent.headers['Location']}cancel/")
    run_import_jobs(boss.app)

    assert "cancelled" in follow_redirect(boss, answer)
    assert (newest_import(boss.app).state, imported_emails(boss.app), count_import_files(boss.app)) == (
        "cancelled",
        [],
        0,
    )
    assert boss.post(f"{sent.headers['Location']}cancel/").status_code == 404
    assert boss.post(f"{sent.headers['Location']}import/").status_code == 404


def test_a_worker_whose_import_is_cancelled_stops_and_what_it_brought_in_by_then_stays(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 1)
    sent = upload_import(boss, USERS_CSV, dry_run="")

    def cancel() -> bool:
        boss.post(f"{sent.headers['Location']}cancel/")
        return False

    run_import_jobs(boss.app, stop=cancel)

    assert (newest_import(boss.app).state, imported_emails(boss.app)) == ("cancelled", ["ada@example.com"])
    assert import_counts(boss.app) == {"read": 1, "made": 1}


def test_the_file_of_a_dry_run_can_be_deleted_at_once(boss: StaffClient) -> None:
    sent = upload_import(boss, USERS_CSV)
    run_import_jobs(boss.app)

    page = follow_redirect(boss, boss.post(f"{sent.headers['Location']}cancel/"))

    assert "The file was deleted." in page
    assert (newest_import(boss.app).state, count_import_files(boss.app)) == ("done", 0)
    assert boss.post(f"{sent.headers['Location']}import/").status_code == 404


def test_a_file_is_imported_once_however_often_it_is_asked_for(boss: StaffClient) -> None:
    sent = upload_import(boss, USERS_CSV)
    run_import_jobs(boss.app)

    first, second = [boss.post(f"{sent.headers['Location']}import/") for _ in range(2)]

    assert first.status_code == 303
    assert second.headers["Location"] == first.headers["Location"]
    assert len(fetch_rows(boss.app, "SELECT * FROM import_jobs")) == 2


def test_a_file_that_nobody_asks_for_is_gone_after_a_day_and_the_row_after_a_month(
    boss: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_import(boss, USERS_CSV)
    run_import_jobs(boss.app)
    upload_import(boss, USERS_CSV, dry_run="")
    move_clock(monkeypatch, timedelta(hours=23))
    kept = count_import_files(boss.app)
    move_clock(monkeypatch, timedelta(hours=2))
    run_import_jobs(boss.app)
    states = [row.state for row in fetch_rows(boss.app, "SELECT state FROM import_jobs ORDER BY id")]
    left = count_import_files(boss.app)
    move_clock(monkeypatch, timedelta(days=31))
    run_import_jobs(boss.app)

    assert (kept, left) == (2, 0)
    assert states == ["done", "failed"]
    assert fetch_rows(boss.app, "SELECT * FROM import_jobs") == []
    assert imported_emails(boss.app) == []
