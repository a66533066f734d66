"""A run of an import: looked at first, told of, broken off, and two at once."""

import csv
import os
import pty
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import serving
import sqlalchemy as sa
from bringing import Bring, as_jsonl, bringing, event, line, users
from database import rows
from factories import PROFILE, make_user
from flask import Flask

from userapi.core.db import db
from userapi.transfer import import_pipeline
from userapi.transfer.options import Manner
from userapi.transfer.records import Record


@pytest.fixture
def bring(app: Flask, tmp_path: Path) -> Bring:
    return bringing(app, tmp_path)


def test_a_dry_run_tells_the_same_and_writes_nothing(app: Flask, bring: Bring) -> None:
    taken = make_user(app, email="taken@example.com")
    content = as_jsonl(
        {"group": "Editors"},
        line(id=taken, groups=["Editors", "Writers"], username="x" * 51),
        line(email="TAKEN@example.com"),
        line(email="no address"),
    )
    before = rows(app, "SELECT * FROM audit_events")

    looked = bring(content, "--dry-run")

    assert looked.exit_code == 1
    assert "Dry run: nothing was written." in looked.stdout
    assert rows(app, "SELECT * FROM audit_events") == before
    assert len(users(app)) == 1
    assert rows(app, "SELECT * FROM groups") == []
    summary = "4 read, 1 imported, 0 updated, 1 already existed, 1 rejected, 2 changed, 2 groups created."
    assert looked.stdout.endswith(summary + "\n")
    assert bring(content).stdout.endswith(summary + "\n")


def test_C09_an_import_is_one_event_that_names_nobody(
    app: Flask, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_pipeline, "BATCH", 3)
    bring(as_jsonl(*(line(email=f"person{number}@example.com") for number in range(10))))

    (found,) = rows(app, "SELECT * FROM audit_events")

    assert found.action == "users.imported"
    assert event(app) == {"read": 10, "made": 10, "on_conflict": "skip"}
    assert "person" not in str(found.changes)


def test_the_report_has_every_line_and_is_for_its_owner_alone(app: Flask, bring: Bring, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"

    result = bring(as_jsonl(*(line(email=f"nobody{number}") for number in range(50))), "--report", str(report))

    assert result.stdout.count("line ") == 20
    assert "… and 30 more. To see all of them, use --report FILE." in result.stdout
    header, *told = csv.reader(report.read_text().splitlines())
    assert header == ["kind", "place", "reason"]
    assert len(told) == 50
    assert told[49][:2] == ["refused", "line 50"]
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


@pytest.mark.unmeasured
def test_C09_an_import_that_was_broken_off_goes_on_when_run_again(app: Flask, tmp_path: Path) -> None:
    people = [
        line(id=number, email=f"person{number}@example.com", profile=PROFILE, groups=["All"])
        for number in range(1, 12_001)
    ]
    (tmp_path / "users.jsonl").write_text(as_jsonl(*people))
    env = serving.environment_of(app, TERM="xterm")
    command = [*serving.FLASK, "users", "import", str(tmp_path / "users.jsonl")]
    screen, terminal = pty.openpty()
    process = serving.start(*command, env=env, stderr=terminal)
    os.close(terminal)
    shown = ""
    while not re.search(r"[2-9],000", shown):
        shown += os.read(screen, 4096).decode(errors="replace")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    os.close(screen)

    made = len(users(app))
    assert 0 < made < 12_000
    assert made % import_pipeline.BATCH == 0
    assert event(app)["made"] == made
    assert len(rows(app, "SELECT * FROM user_profiles")) == len(rows(app, "SELECT * FROM user_groups")) == made
    again = serving.run(*command, env=env)

    assert (again.code, again.errors) == (0, "")
    assert f"{12_000 - made:,} imported, 0 updated, {made:,} already existed, 0 rejected" in again.output
    assert users(app) == [(number, f"person{number}@example.com") for number in range(1, 12_001)]


def test_nobody_waits_while_a_dump_is_read(app: Flask) -> None:
    def reading() -> Iterator[Record]:
        with db.engine.begin() as somebody:
            somebody.execute(sa.text("DELETE FROM groups"))
        yield Record(1, line())

    with app.app_context():
        for _counts in import_pipeline.bring_in(reading(), Manner(), lambda *_told: None):
            db.session.commit()

    assert len(users(app)) == 1


def test_two_imports_at_once_make_everybody_once(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "users.jsonl").write_text(as_jsonl(*(line(email=f"person{n}@example.com") for n in range(3000))))
    env = serving.environment_of(app)
    running = [
        serving.start(*serving.FLASK, "users", "import", str(tmp_path / "users.jsonl"), env=env) for _ in range(2)
    ]

    done = [serving.finish(process) for process in running]

    assert {result.code for result in done} <= {0, 1}, done
    assert len(users(app)) == 3000
