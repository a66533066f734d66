"""`flask audit`: events are shown, followed and exported, filtered by user, action and date."""

import csv
import io
import json
import signal
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import Popen

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support import commands
from tests.support.api_client import ApiUser
from tests.support.factories import make_user
from userapi.audit.models import AuditEvent
from userapi.core import clock
from userapi.core.db import db

pytestmark = pytest.mark.both


def audit(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["audit", *arguments])


def shown(result: Result) -> list[list[str]]:
    """The cells below the header."""
    assert result.exit_code == 0, result.output
    return [line.split("\t") for line in result.stdout.splitlines()[1:]]


def exported(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def move_events(app: Flask, action: str, when: datetime) -> None:
    """Move the events of an action to another time."""
    with app.app_context():
        db.session.execute(sa.update(AuditEvent).where(AuditEvent.action == action).values(occurred_at=when))
        db.session.commit()


def test_the_newest_events_are_shown_newest_last(app: Flask, staff: ApiUser, user: ApiUser) -> None:
    staff.patch(user.url, json={"last_name": "Quill"})

    rows = shown(audit(app, "tail", "-n", "2"))

    assert [row[1] for row in rows] == ["session.started", "user.changed"]
    assert rows[-1][2:] == [staff.email, "api", user.email, "127.0.0.1", "last_name"]
    assert shown(audit(app, "tail", "-n", "0")) == []
    assert len(shown(audit(app, "tail"))) == 5


def test_changes_by_a_command_are_shown_with_its_operator(app: Flask) -> None:
    app.test_cli_runner().invoke(args=["users", "seed", "1", "--force"])

    ((_when, action, who, origin, *_rest),) = shown(audit(app, "tail", "-n", "1"))

    assert (action, origin) == ("users.seeded", "cli")
    assert who.startswith("Command line (")


def test_events_are_filtered_as_in_the_audit_log_on_the_staff_site(app: Flask, staff: ApiUser, user: ApiUser) -> None:
    staff.patch(user.url, json={"last_name": "Quill"})
    today, tomorrow = clock.today(), clock.today() + timedelta(days=1)
    move_events(app, "user.created", clock.now() - timedelta(days=3))

    def found(*filters: str) -> set[str]:
        rows = shown(audit(app, "tail", *filters))
        lines = exported(audit(app, "export", *filters))
        assert {row[1] for row in rows} == {str(line["action"]) for line in lines} - {"audit.exported"}
        return {row[1] for row in rows}

    everything = {"user.created", "session.started", "user.changed"}
    assert found("--user", user.email.upper()) == found("--user", str(user.id)) == everything
    assert found("--user", str(staff.id), "--action", "user.changed") == {"user.changed"}
    assert found("--action", "user.deleted") == set()
    assert found("--origin", "api") == {"session.started", "user.changed"}
    assert found("--since", str(today), "--origin", "api") == {"session.started", "user.changed"}
    assert found("--until", str(today), "--user", str(user.id)) == everything
    assert found("--until", str(today - timedelta(days=1))) == {"user.created"}
    assert found("--until", f"{today}T00:00:00+00:00") == {"user.created"}
    assert found("--since", str(tomorrow)) == set()
    assert found("--until", "9999-12-31", "--user", str(user.id)) == everything


@pytest.mark.parametrize("command", ["tail", "export"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--user", "unknown@example.com"), "There is no user with the email unknown@example.com."),
        (("--action", "user.walked"), "Unknown action 'user.walked'. docs/events.md lists all actions."),
        (("--since", "tomorrow"), "'tomorrow' is not a date"),
        (("--until", "2026-02-30"), "'2026-02-30' is not a date"),
        (("--origin", "mars"), "'mars' is not one of"),
    ],
)
def test_a_wrong_filter_gets_one_sentence(app: Flask, command: str, arguments: tuple[str, ...], sentence: str) -> None:
    result = audit(app, command, *arguments)

    assert result.exit_code in (1, 2)
    assert sentence in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tail", "-n", "many"), "'many' is not a whole number from 0 to 10000."),
        (("tail", "-n", "10001"), "'10001' is not a whole number from 0 to 10000."),
        (("export", "/nowhere/events.csv"), "Cannot write /nowhere/events.csv: the folder /nowhere does not exist."),
        (("export", "events.txt"), "Use a file name that ends in .csv or .jsonl, or set --format."),
    ],
)
def test_a_wrong_number_or_path_gets_one_sentence(app: Flask, arguments: tuple[str, ...], sentence: str) -> None:
    result = audit(app, *arguments)

    assert result.exit_code in (1, 2)
    assert result.stderr.splitlines()[-1].endswith(sentence)


def test_json_lines_contain_everything_that_is_stored(app: Flask, staff: ApiUser, user: ApiUser) -> None:
    staff.patch(user.url, json={"last_name": "Quill"}, headers={"X-Request-ID": "audit-1"})

    lines = exported(audit(app, "export"))

    with app.app_context():
        events = db.session.execute(sa.select(AuditEvent.__table__).order_by(AuditEvent.id)).mappings().all()
    assert [line["id"] for line in lines] == [event["id"] for event in events[:-1]]
    assert events[-1]["action"] == "audit.exported"
    change = lines[-1]
    assert set(change) == {*events[0], "actor_email"} - {"position"}
    assert (change["actor_id"], change["actor_email"], change["origin"]) == (staff.id, staff.email, "api")
    assert (change["target_kind"], change["target_id"], change["request_id"]) == ("user", str(user.id), "audit-1")
    assert change["changes"] == {"last_name": ["Okafor", "Quill"]}
    assert str(change["occurred_at"]).endswith("Z")


def test_a_table_is_written_to_a_file_that_only_its_owner_can_read(app: Flask, user: ApiUser, tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    user.patch("/userapi/auth/user/", json={"last_name": "=1+1"})

    result = audit(app, "export", str(file), "--action", "user.changed")

    assert result.stdout == f"Exported 1 event to {file}.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (row,) = csv.DictReader(io.StringIO(file.read_text("utf-8-sig")))
    assert (row["action"], row["actor_email"], row["os_user"]) == ("user.changed", user.email, "")
    assert json.loads(row["changes"]) == {"last_name": ["Okafor", "=1+1"]}
    (event,) = exported(audit(app, "export", "--action", "audit.exported"))
    assert event["origin"] == "cli"
    assert event["changes"] == {"action": [None, "user.changed"]}


def test_an_export_has_more_than_one_page(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("userapi.transfer.audit_export.PAGE_SIZE", 3)
    ids = [make_user(app) for _user in range(8)]

    lines = exported(audit(app, "export", "--action", "user.created"))

    assert [line["target_id"] for line in lines] == [str(user_id) for user_id in ids]


@pytest.fixture
def following(app: Flask) -> Iterator[Popen[str]]:
    process = commands.start(
        *commands.FLASK,
        "audit",
        "tail",
        "--follow",
        "-n",
        "1",
        "--action",
        "user.created",
        env=commands.without_coverage(commands.environment_for(app)),
    )
    yield process
    process.kill()
    process.communicate()


def test_follow_prints_new_events_until_ctrl_c(app: Flask, following: Popen[str]) -> None:
    def create_events(event_id: int, os_user: str) -> None:
        with app.app_context():
            event = {"id": event_id, "action": "user.created", "origin": "cli", "os_user": os_user}
            db.session.execute(sa.insert(AuditEvent).values(**event, occurred_at=clock.now()))
            db.session.commit()

    assert following.stdout is not None
    assert following.stdout.readline().startswith("time\t")
    for event_id, os_user in ((2 * 10**6, "first"), (3 * 10**6, "second"), (10**6, "committed-late")):
        create_events(event_id, os_user)
        assert f"Command line ({os_user})" in following.stdout.readline()

    following.send_signal(signal.SIGINT)
    output, errors = following.communicate(timeout=20)
    assert (following.returncode, output, errors) == (0, "", "")
