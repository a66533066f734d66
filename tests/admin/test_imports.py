"""Imports that staff start: a file goes in at the staff site, a worker looks through it or takes its users in."""

import json
from datetime import timedelta

import pytest
from conftest import Person
from conftest import sign_in as tokens_of
from desk import Clerk, clerk, value
from factories import PROFILE, make_user
from flask import Flask
from import_desk import NEW, TABLE, counts, files, follow, imported, job, later, plain, rows, upload, work

from userapi.transfer import import_pipeline, job_worker


@pytest.fixture
def boss(app: Flask) -> Clerk:
    return clerk(app, is_staff=True, is_superuser=True, email="boss@example.com")


def test_a_dry_run_comes_first_and_writes_nothing_and_then_the_file_is_imported_for_real(boss: Clerk) -> None:
    make_user(boss.app, email="grace@example.com")
    assert {"dry_run": "true"}.items() <= boss.form(NEW).items()

    sent = upload(boss, f"{TABLE}nobody,x\n")
    waiting = follow(boss, sent)
    work(boss.app)
    looked = boss.get(sent.headers["Location"]).text
    before = imported(boss.app)
    real = boss.post(f"{sent.headers['Location']}import/")
    work(boss.app)
    done = follow(boss, real)

    assert "users.csv was uploaded" in waiting
    assert "Dry run results" in looked
    assert "line 3" in looked
    assert "already has this email" in looked
    assert "line 4" in looked
    assert before == ["grace@example.com"]
    assert ">Results<" in done
    assert imported(boss.app) == ["grace@example.com", "ada@example.com"]
    assert counts(boss.app) == {"read": 3, "made": 1, "there_already": 1, "refused": 1}
    assert boss.get("/admin/imports/").text.count("users.csv") == 2


def test_the_file_goes_as_soon_as_it_is_imported(boss: Clerk) -> None:
    sent = upload(boss, TABLE, dry_run="")
    before = files(boss.app)

    work(boss.app)

    assert (before, files(boss.app)) == (1, 0)
    assert "Import now" not in boss.get(sent.headers["Location"]).text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("users.csv", TABLE),
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
def test_every_kind_of_file_is_told_by_its_name(boss: Clerk, name: str, content: str) -> None:
    upload(boss, content, name, dry_run="")

    work(boss.app)

    assert job(boss.app).state == "done"
    assert imported(boss.app) == ["ada@example.com", "grace@example.com"]


def test_a_user_who_is_there_is_changed_when_asked_for_and_an_obstacle_stops_the_whole_when_asked_for(
    boss: Clerk,
) -> None:
    make_user(boss.app, email="grace@example.com", first_name="G.")
    upload(boss, TABLE, dry_run="", on_conflict="fail")
    work(boss.app)
    stopped = boss.get(f"/admin/imports/{job(boss.app).id}/").text
    after_stop = imported(boss.app)

    upload(boss, TABLE, dry_run="", on_conflict="update")
    work(boss.app)

    assert "Nothing was imported: line 3: User " in stopped
    assert after_stop == ["grace@example.com"]
    assert imported(boss.app) == ["grace@example.com", "ada@example.com"]
    assert [row.first_name for row in rows(boss.app, "SELECT first_name FROM users WHERE email LIKE 'grace%'")] == [
        "Grace"
    ]
    assert files(boss.app) == 0


@pytest.mark.parametrize(
    ("way", "made", "refused", "zips"),
    [("leave-out-field", 1, 0, [""]), ("refuse-user", 0, 1, []), ("leave-out-profile", 1, 0, [])],
)
def test_a_profile_with_a_wrong_field_is_met_as_chosen_from_the_dry_run_on(
    boss: Clerk, way: str, made: int, refused: int, zips: list[str]
) -> None:
    content = json.dumps({"email": "ada@example.com", "profile": PROFILE | {"zip": "SW1A 1AA"}})

    sent = upload(boss, content, "users.jsonl", on_bad_profile=way)
    work(boss.app)
    looked = counts(boss.app)
    boss.post(f"{sent.headers['Location']}import/")
    work(boss.app)

    assert (looked.get("made", 0), looked.get("refused", 0)) == (made, refused)
    assert counts(boss.app) == looked
    assert "profile.zip: Longer than maximum length 5." in boss.get(f"/admin/imports/{job(boss.app).id}/").text
    assert [row.zip for row in rows(boss.app, "SELECT zip FROM user_profiles WHERE city = 'Bath' AND zip = ''")] == zips


def test_a_dump_with_one_object_a_line_is_taken(boss: Clerk) -> None:
    fields = {"email": "ada@example.com", "password": "!", "last_login": None}
    upload(boss, json.dumps({"model": "auth.user", "pk": 70, "fields": fields}) + "\n", "users.jsonl", dry_run="")

    work(boss.app)

    assert imported(boss.app) == ["ada@example.com"]


def test_an_import_that_is_all_or_nothing_takes_all(boss: Clerk) -> None:
    upload(boss, TABLE, dry_run="", on_conflict="fail")

    work(boss.app)

    assert (job(boss.app).state, imported(boss.app)) == ("done", ["ada@example.com", "grace@example.com"])


def test_the_trail_tells_who_had_what_imported(boss: Clerk) -> None:
    upload(boss, TABLE + "ada@example.com,again\n", dry_run="")
    work(boss.app)

    found = rows(
        boss.app,
        "SELECT action, actor_id, target_id, changes FROM audit_events WHERE action LIKE '%import%' ORDER BY id",
    )

    number = str(job(boss.app).id)
    assert [(row.action, row.actor_id, row.target_id) for row in found] == [
        ("import.started", boss.id, number),
        ("users.imported", boss.id, None),
        ("import.finished", boss.id, number),
    ]
    started, brought_in, finished = (plain(row.changes) for row in found)
    assert started == {"file": [None, "users.csv"], "dry_run": [None, False], "on_conflict": [None, "skip"]}
    assert brought_in["made"] == finished["made"] == [None, 2]
    assert finished["state"] == [None, "done"]
    assert "ada@" not in str([row.changes for row in found])
    assert "import.finished" in boss.get("/admin/audit/?kind=import&target=" + number).text


def test_the_report_is_in_the_language_of_whoever_asked(boss: Clerk) -> None:
    boss.client.set_cookie("language", "de")
    upload(boss, "email\nnobody\n")

    work(boss.app)

    ((_kind, place, _reason),) = plain(job(boss.app).report)
    assert place == "Zeile 2"


def test_of_a_long_report_the_first_are_kept_and_the_others_counted(
    boss: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_worker, "REPORTED", 3)
    upload(boss, "email\n" + "".join(f"nobody {number}\n" for number in range(10)))

    work(boss.app)

    page = boss.get(f"/admin/imports/{job(boss.app).id}/").text
    assert page.count('<th scope="row">line ') == 3
    assert "and 7 more" in page


def test_pages_of_an_import_that_is_not_over_are_loaded_again_without_an_inline_script(boss: Clerk) -> None:
    sent = upload(boss, TABLE)
    paths = ("/admin/imports/", sent.headers["Location"])
    waiting = [boss.get(path) for path in paths]
    work(boss.app)
    done = [boss.get(path) for path in paths]

    for page in waiting:
        assert 'data-again="3"' in page.text
        assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page.text
        assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert not any("data-again" in page.text or "http-equiv" in page.text for page in done)


def test_what_a_file_calls_itself_and_says_is_shown_as_text(boss: Clerk) -> None:
    upload(boss, 'email\n"<script>alert(1)</script>"\n', "<b>\u202eusers.csv")
    work(boss.app)

    for path in ("/admin/imports/", f"/admin/imports/{job(boss.app).id}/"):
        page = boss.get(path).text
        assert "<script>alert" not in page
        assert "<b>" not in page
        assert "\u202e" not in page


def test_an_imported_user_signs_in_with_the_password_of_before(boss: Clerk, user: Person) -> None:
    hash_of = value(boss.app, user.id, "password_hash")
    upload(boss, json.dumps({"email": "ada@example.com", "password_hash": hash_of}), "users.jsonl", dry_run="")

    work(boss.app)

    assert tokens_of(boss.app, "ada@example.com")["access_token"]


# --- Given up, and forgotten -------------------------------------------------------------------------------


def test_an_import_that_waits_can_be_cancelled(boss: Clerk) -> None:
    sent = upload(boss, TABLE, dry_run="")

    answer = boss.post(f"{sent.headers['Location']}cancel/")
    work(boss.app)

    assert "cancelled" in follow(boss, answer)
    assert (job(boss.app).state, imported(boss.app), files(boss.app)) == ("cancelled", [], 0)
    assert boss.post(f"{sent.headers['Location']}cancel/").status_code == 404
    assert boss.post(f"{sent.headers['Location']}import/").status_code == 404


def test_a_worker_whose_import_is_cancelled_stops_and_what_it_brought_in_by_then_stays(
    boss: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH", 1)
    sent = upload(boss, TABLE, dry_run="")

    def cancel() -> bool:
        boss.post(f"{sent.headers['Location']}cancel/")
        return False

    work(boss.app, stop=cancel)

    assert (job(boss.app).state, imported(boss.app)) == ("cancelled", ["ada@example.com"])
    assert counts(boss.app) == {"read": 1, "made": 1}


def test_the_file_of_a_dry_run_can_be_deleted_at_once(boss: Clerk) -> None:
    sent = upload(boss, TABLE)
    work(boss.app)

    page = follow(boss, boss.post(f"{sent.headers['Location']}cancel/"))

    assert "The file was deleted." in page
    assert (job(boss.app).state, files(boss.app)) == ("done", 0)
    assert boss.post(f"{sent.headers['Location']}import/").status_code == 404


def test_a_file_is_imported_once_however_often_it_is_asked_for(boss: Clerk) -> None:
    sent = upload(boss, TABLE)
    work(boss.app)

    first, second = [boss.post(f"{sent.headers['Location']}import/") for _ in range(2)]

    assert first.status_code == 303
    assert second.headers["Location"] == first.headers["Location"]
    assert len(rows(boss.app, "SELECT * FROM import_jobs")) == 2


def test_a_file_that_nobody_asks_for_is_gone_after_a_day_and_the_row_after_a_month(
    boss: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(boss, TABLE)
    work(boss.app)
    upload(boss, TABLE, dry_run="")
    later(monkeypatch, timedelta(hours=23))
    kept = files(boss.app)
    later(monkeypatch, timedelta(hours=2))
    work(boss.app)
    states = [row.state for row in rows(boss.app, "SELECT state FROM import_jobs ORDER BY id")]
    left = files(boss.app)
    later(monkeypatch, timedelta(days=31))
    work(boss.app)

    assert (kept, left) == (2, 0)
    assert states == ["done", "failed"]
    assert rows(boss.app, "SELECT * FROM import_jobs") == []
    assert imported(boss.app) == []
