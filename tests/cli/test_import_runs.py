"""Running an import: dry runs, reports, interruptions and parallel imports."""

import csv
import os
import pty
import re
import signal
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support import commands
from tests.support.factories import PROFILE, make_user
from tests.support.import_files import RunImport, as_jsonl, import_command, import_event, stored_users, user_record
from tests.support.sql import fetch_rows
from userapi.core import clock
from userapi.core.db import db
from userapi.transfer import bulk_insert, import_pipeline
from userapi.transfer.bulk_insert import NewUser
from userapi.transfer.options import ImportOptions
from userapi.transfer.records import Record, UnreadableFile
from userapi.users.declaration import EXTENSION, Declaration

pytestmark = pytest.mark.both


@pytest.fixture
def import_file(app: Flask, tmp_path: Path) -> RunImport:
    return import_command(app, tmp_path)


def test_a_dry_run_reports_the_same_and_writes_nothing(app: Flask, import_file: RunImport) -> None:
    taken = make_user(app, email="taken@example.com")
    content = as_jsonl(
        {"group": "Editors"},
        user_record(id=taken, groups=["Editors", "Writers"], username="x" * 51),
        user_record(email="TAKEN@example.com"),
        user_record(email="no address"),
    )
    before = fetch_rows(app, "SELECT * FROM audit_events")

    looked = import_file(content, "--dry-run")

    assert looked.exit_code == 1
    assert "Dry run: nothing was written." in looked.stdout
    assert fetch_rows(app, "SELECT * FROM audit_events") == before
    assert len(stored_users(app)) == 1
    assert fetch_rows(app, "SELECT * FROM groups") == []
    summary = "4 read, 1 imported, 0 updated, 1 already existed, 1 rejected, 2 changed, 2 groups created."
    assert looked.stdout.endswith(summary + "\n")
    assert import_file(content).stdout.endswith(summary + "\n")


def test_C09_an_import_is_one_event_without_personal_data(
    app: Flask, import_file: RunImport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 3)
    import_file(as_jsonl(*(user_record(email=f"person{number}@example.com") for number in range(10))))

    (found,) = fetch_rows(app, "SELECT * FROM audit_events")

    assert found.action == "users.imported"
    assert import_event(app) == {"read": 10, "made": 10, "on_conflict": "skip"}
    assert "person" not in str(found.changes)


def test_the_report_has_every_line_and_only_its_owner_can_read_it(
    app: Flask, import_file: RunImport, tmp_path: Path
) -> None:
    report = tmp_path / "report.csv"

    result = import_file(
        as_jsonl(*(user_record(email=f"invalid{number}") for number in range(50))), "--report", str(report)
    )

    assert result.stdout.count("line ") == 20
    assert "… and 30 more. To see all of them, use --report FILE." in result.stdout
    header, *rows = csv.reader(report.read_text().splitlines())
    assert header == ["kind", "place", "reason"]
    assert len(rows) == 50
    assert rows[49][:2] == ["refused", "line 50"]
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


@pytest.mark.slow
@pytest.mark.unmeasured
def test_C09_an_interrupted_import_continues_when_run_again(app: Flask, tmp_path: Path) -> None:
    users = [
        user_record(id=number, email=f"person{number}@example.com", profile=PROFILE, groups=["All"])
        for number in range(1, 12_001)
    ]
    (tmp_path / "users.jsonl").write_text(as_jsonl(*users))
    env = commands.environment_for(app, TERM="xterm")
    command = [*commands.FLASK, "users", "import", str(tmp_path / "users.jsonl")]
    screen, terminal = pty.openpty()
    process = commands.start(*command, env=env, stderr=terminal)
    os.close(terminal)
    shown = ""
    while not re.search(r"[2-9],000", shown):
        shown += os.read(screen, 4096).decode(errors="replace")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    os.close(screen)

    made = len(stored_users(app))
    assert 0 < made < 12_000
    assert made % import_pipeline.BATCH_SIZE == 0
    assert import_event(app)["made"] == made
    assert (
        len(fetch_rows(app, "SELECT * FROM user_profiles")) == len(fetch_rows(app, "SELECT * FROM user_groups")) == made
    )
    again = commands.run(*command, env=env)

    assert (again.code, again.errors) == (0, "")
    assert f"{12_000 - made:,} imported, 0 updated, {made:,} already existed, 0 rejected" in again.output
    assert stored_users(app) == [(number, f"person{number}@example.com") for number in range(1, 12_001)]


def test_reading_a_dump_locks_no_table(app: Flask) -> None:
    def read_records() -> Iterator[Record]:
        with db.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM groups"))
        yield Record(1, user_record())

    with app.app_context():
        for _counts in import_pipeline.import_records(read_records(), ImportOptions(), lambda *_progress: None):
            db.session.commit()

    assert len(stored_users(app)) == 1


def test_two_parallel_imports_create_every_user_once(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text(as_jsonl(*(user_record(email=f"person{n}@example.com") for n in range(3000))))
    env = commands.environment_for(app)
    running = [
        commands.start(*commands.FLASK, "users", "import", str(tmp_path / "users.jsonl"), env=env) for _ in range(2)
    ]

    done = [commands.finish(process) for process in running]

    assert {result.code for result in done} <= {0, 1}, done
    assert len(stored_users(app)) == 3000


def test_batches_before_an_unreadable_part_of_a_file_are_imported(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 3)

    def read_records() -> Iterator[Record]:
        for number in range(1, 5):
            yield Record(number, user_record(email=f"person{number}@example.com", profile=PROFILE))
        raise UnreadableFile("The compressed file is damaged or incomplete.")

    with app.app_context():
        batches = import_pipeline.import_records(read_records(), ImportOptions(), lambda *_progress: None)
        next(batches)
        db.session.commit()
        with pytest.raises(UnreadableFile):
            next(batches)

    assert [email for _id, email in stored_users(app)] == [f"person{number}@example.com" for number in (1, 2, 3)]


def test_the_rule_of_an_application_for_a_field_may_use_the_database(
    declare: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH_SIZE", 3)
    app = declare('[profile.company]\ntype = "line"\n')
    (field,) = app.extensions[EXTENSION].fields
    with_rule = replace(field, check=lambda _value: db.session.execute(sa.text("SELECT 1")))
    monkeypatch.setitem(app.extensions, EXTENSION, Declaration((with_rule,)))
    profile = {"company": "Kestrel Ltd"}
    records = [Record(n, user_record(email=f"person{n}@example.com", profile=profile)) for n in range(1, 8)]

    with app.app_context():
        for _counts in import_pipeline.import_records(records, ImportOptions(), lambda *_progress: None):
            db.session.commit()

    assert len(stored_users(app)) == 7


def test_users_whose_email_or_id_was_is_taken_are_left_out_and_the_others_inserted(app: Flask) -> None:
    taken = make_user(app, email="taken@example.com")
    emails = {taken: "other@example.com", taken + 1: "taken@example.com", taken + 2: "free@example.com"}
    with app.app_context():
        joined = {"first_name_key": "", "last_name_key": "", "date_joined": clock.now()}
        rows = [
            NewUser({"id": user_id, "email": email, "email_key": email, **joined}, {"city": "Bath"})
            for user_id, email in emails.items()
        ]
        inserted = bulk_insert.insert_users(rows).ids
        db.session.commit()

    assert inserted == {taken + 2}
    assert stored_users(app) == [(taken, "taken@example.com"), (taken + 2, "free@example.com")]
    assert fetch_rows(app, f"SELECT city FROM user_profiles WHERE user_id = {taken + 2}")[0].city == "Bath"
