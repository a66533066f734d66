"""`flask users seed`: realistic users, the same for the same seed, that never replace real ones."""

import itertools
import json
import os
import pty
import re
import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from tests.support import commands
from tests.support.api_client import can_sign_in
from tests.support.factories import PASSWORD, make_user
from tests.support.own_fields import EVERY_KIND
from tests.support.sql import fetch_rows
from userapi.audit.models import AuditEvent
from userapi.auth.models import Session
from userapi.core import clock
from userapi.core.db import db
from userapi.transfer.seeding import LOCALES, Crowd
from userapi.users import declaration, email_address
from userapi.users.models import User
from userapi.users.schemas import NewUserSchema

pytestmark = pytest.mark.both

NEW_PASSWORD = "quiet harbour lantern 4"

USERS = """
    SELECT email, email_key, username, first_name, last_name, title, dob, address, country, city, zip
    FROM users JOIN user_profiles ON user_id = id ORDER BY id
"""


def seed(app: Flask, *arguments: str, **variables: str) -> Result:
    return app.test_cli_runner().invoke(args=["users", "seed", *arguments], env={"USER_PASSWORD": None, **variables})


def test_C02_the_same_seed_creates_the_same_users(app: Flask) -> None:
    first = seed(app, "40", "--locale", "en_GB", "--random-seed", "7", "--password", PASSWORD)
    users = fetch_rows(app, USERS)
    with app.app_context():
        db.session.execute(sa.text("DELETE FROM users"))
        db.session.commit()

    seed(app, "40", "--locale", "en-gb", "--random-seed", "7", "--password", PASSWORD)

    assert first.exit_code == 0, first.stderr
    assert first.stderr == ""
    assert len(users) == 40
    assert fetch_rows(app, USERS) == users


def test_another_seed_or_locale_creates_other_users(app: Flask) -> None:
    for options in (("--random-seed", "7"), ("--random-seed", "8"), ("--random-seed", "7", "--locale", "de")):
        assert seed(app, "20", *options).exit_code == 0

    users = [(row.first_name, row.last_name, row.dob) for row in fetch_rows(app, USERS)]
    assert len(users) == 60
    assert len({tuple(users[start : start + 20]) for start in (0, 20, 40)}) == 3


def test_a_larger_run_only_adds_to_a_smaller_one(app: Flask) -> None:
    seed(app, "10", "--random-seed", "7", "--password", PASSWORD)
    users = fetch_rows(app, USERS)

    again = seed(app, "25", "--random-seed", "7", "--password", PASSWORD)

    assert "15 users created, 10 already existed" in again.stdout
    assert fetch_rows(app, USERS)[:10] == users


def test_C02_seeding_never_changes_existing_users(app: Flask) -> None:
    with app.app_context():
        taken = next(iter(Crowd("en", 7)))["email"].upper()
    make_user(app, email=taken, first_name="Wren")

    result = seed(app, "10", "--random-seed", "7", "--password", NEW_PASSWORD)

    assert "9 users created, 1 already existed" in result.stdout
    assert can_sign_in(app, taken, PASSWORD)
    assert not can_sign_in(app, taken, NEW_PASSWORD)
    assert fetch_rows(app, USERS)[0].first_name == "Wren"


def test_C02_a_generated_password_is_shown_once_and_valid(app: Flask) -> None:
    result = seed(app, "3", "--random-seed", "7")

    (password,) = re.findall(r"Password of these users, shown only once: (\S+)", result.stdout)
    assert all(can_sign_in(app, row.email, password) for row in fetch_rows(app, USERS))
    assert "password" not in seed(app, "3", "--random-seed", "7").stdout


def test_C02_production_is_not_seeded_unless_forced(make_app: Callable[..., Flask]) -> None:
    production = make_app(SITE_URL="https://accounts.example.org")

    rejected = seed(production, "3", "--random-seed", "7", "--password", PASSWORD)

    assert (rejected.exit_code, rejected.stderr.count("\n")) == (1, 1)
    assert "--force" in rejected.stderr
    assert fetch_rows(production, USERS) == []
    assert seed(production, "3", "--random-seed", "7", "--password", PASSWORD, "--force").exit_code == 0
    assert len(fetch_rows(production, USERS)) == 3


def test_C02_rejects_a_weak_shared_password(app: Flask) -> None:
    result = seed(app, "3", "--password", "password")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert fetch_rows(app, USERS) == []


def test_users_share_one_hash_unless_separate_hashes_are_requested(app: Flask) -> None:
    seed(app, "5", "--random-seed", "7", USER_PASSWORD=PASSWORD)
    seed(app, "5", "--random-seed", "8", "--hash-each", USER_PASSWORD=PASSWORD)

    hashes = fetch_rows(app, "SELECT password_hash FROM users ORDER BY id")

    assert (len(set(hashes[:5])), len(set(hashes[5:]))) == (1, 5)
    assert all(can_sign_in(app, row.email, PASSWORD) for row in fetch_rows(app, USERS))


def test_emails_consist_of_a_name_and_a_number(app: Flask) -> None:
    seed(app, "50", "--random-seed", "7")
    seed(app, "50", "--random-seed", "7", "--locale", "ja")

    found = [row.email for row in fetch_rows(app, USERS)]
    assert len(found) == 100
    assert [email for email in found[:50] if not re.fullmatch(r"[a-z]+(\.[a-z]+)?\d+@example\.com", email)] == []
    assert [email for email in found[50:] if not re.fullmatch(r"user\.ja\.7\.\d+@example\.com", email)] == []


def test_activity_creates_accounts_in_every_state_with_sign_ins(app: Flask) -> None:
    result = seed(app, "150", "--random-seed", "7", "--password", PASSWORD, "--with-activity")

    assert result.exit_code == 0, result.output
    shares = "sum(CASE WHEN {} THEN 1 ELSE 0 END)"
    states = ("NOT is_active", "is_staff", "email_verified_at IS NULL", "last_login IS NULL", "is_superuser")
    counts = fetch_rows(app, f"SELECT {', '.join(shares.format(state) for state in states)} FROM users")[0]
    assert all(0 < number < 100 for number in counts[:4])
    assert counts[4] == 0
    month = clock.now() - timedelta(days=30)
    with app.app_context():
        events = db.session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)).all()
        sessions = db.session.scalars(sa.select(Session)).all()
        logins = {row.id: row.last_login for row in db.session.execute(sa.select(User.id, User.last_login))}
    past = [event for event in events if event.action in ("session.started", "sign_in.failed")]
    started = [event for event in past if event.action == "session.started"]
    assert 0 < len(past) - len(started) < len(started) == len(sessions)
    assert [event.occurred_at for event in past] == sorted(event.occurred_at for event in past)
    assert {(event.origin, event.actor_id is None) for event in past} == {("web", True), ("web", False)}
    assert month <= past[0].occurred_at
    assert past[-1].occurred_at <= clock.now()
    assert {event.occurred_at.date() for event in started} > {(clock.now() - timedelta(days=n)).date() for n in (3, 9)}
    for user_id, last in logins.items():
        moments = [event.occurred_at for event in started if event.target_id == str(user_id)]
        assert last == (max(moments) if moments else None)
    assert {session.ended_at is None for session in sessions} == {True, False}
    (active,) = fetch_rows(app, "SELECT email FROM users WHERE is_active AND last_login IS NOT NULL LIMIT 1")
    assert can_sign_in(app, active.email, PASSWORD)


def test_activity_is_created_only_for_seeded_users(app: Flask) -> None:
    seed(app, "60", "--random-seed", "7", "--password", PASSWORD, "--with-activity")
    before = [fetch_rows(app, f"SELECT count(*) FROM {table}")[0][0] for table in ("users", "login_sessions")]

    again = seed(app, "60", "--random-seed", "7", "--password", PASSWORD, "--with-activity")

    assert again.exit_code == 0, again.output
    assert [fetch_rows(app, f"SELECT count(*) FROM {table}")[0][0] for table in ("users", "login_sessions")] == before


def test_only_users_are_written_without_activity(app: Flask) -> None:
    seed(app, "60", "--random-seed", "7", "--password", PASSWORD)

    assert fetch_rows(app, "SELECT * FROM login_sessions") == []
    assert [row.action for row in fetch_rows(app, "SELECT action FROM audit_events")] == ["users.seeded"]
    assert fetch_rows(app, "SELECT * FROM users WHERE is_staff OR NOT is_active OR last_login IS NOT NULL") == []


@pytest.mark.parametrize(("arguments", "named"), [(("0",), "COUNT"), (("5", "--locale", "xx"), "--locale")])
def test_C08_invalid_seeding_options_are_usage_errors(app: Flask, arguments: tuple[str, ...], named: str) -> None:
    result = seed(app, *arguments)

    assert result.exit_code == 2
    assert named in result.stderr


@pytest.mark.parametrize("locale", LOCALES)
def test_seeded_users_of_every_locale_pass_the_registration_rules(shared_app: Flask, locale: str) -> None:
    with shared_app.app_context():
        for caller in itertools.islice(Crowd(locale, 24), 100):  # the Brazilian locale has very long city names
            del caller["joined"]
            caller["profile"]["dob"] = caller["profile"]["dob"].isoformat()

            assert NewUserSchema().validate({**caller, "password": PASSWORD}) == {}
            assert email_address.normal_form(caller["email"]) == caller["email"]


def test_C09_ctrl_c_leaves_no_users_behind(app: Flask) -> None:
    screen, terminal = pty.openpty()
    env = commands.environment_for(app, TERM="xterm", PYTHONFAULTHANDLER="1")
    command = [*commands.FLASK, "users", "seed", "1000000", "--random-seed", "7", "--password", PASSWORD]
    with commands.start(*command, env=commands.without_coverage(env), stderr=terminal) as process:
        os.close(terminal)
        shown = ""
        while not re.search(r"[1-9]\d*/1000000", shown):
            shown += os.read(screen, 4096).decode(errors="replace")

        process.send_signal(signal.SIGINT)
        try:
            output, _ = process.communicate(timeout=30)
        finally:
            process.send_signal(signal.SIGABRT)  # a hang is reported, and does not block the next test
            said = os.read(screen, 65536).decode(errors="replace") if process.wait() < 0 else ""
            os.close(screen)
            assert not said, said

    assert (process.returncode, output) == (1, "")
    assert fetch_rows(app, "SELECT id FROM users") == []
    assert fetch_rows(app, "SELECT id FROM audit_events") == []


def test_N11_parallel_seeding_creates_every_user_once(app: Flask) -> None:
    env = commands.environment_for(app)
    command = [*commands.FLASK, "users", "seed", "2500", "--random-seed", "7", "--password", PASSWORD]
    running = [commands.start(*command, env=env) for _ in range(2)]

    done = [commands.finish(process) for process in running]

    assert [result.code for result in done] == [0, 0], done
    made = [int(result.output.split()[0]) for result in done]
    assert sum(made) == len(fetch_rows(app, USERS)) == 2500


def test_seeded_users_have_valid_values_of_own_fields_and_unique_ones_are_unique(
    declare: Callable[..., Flask],
) -> None:
    unique = EVERY_KIND + '[profile.vat]\ntype = "line"\nmax = 8\nunique = true\n'
    app = declare(unique)

    first, second = (seed(app, "30", "--random-seed", number) for number in ("1", "2"))
    checked = app.test_cli_runner().invoke(args=["fields", "check"])
    found = [
        json.loads(row.extra) if isinstance(row.extra, str) else row.extra
        for row in fetch_rows(app, "SELECT extra FROM user_profiles")
    ]

    assert (first.exit_code, second.exit_code, checked.exit_code) == (0, 0, 0), checked.output
    names = {field.name for field in app.extensions[declaration.EXTENSION].own}
    assert [values.keys() for values in found] == [names] * len(found)
    assert len({values["vat"] for values in found}) == len(found) == 60
    built_in = fetch_rows(app, "SELECT count(city) AS cities, count(title) AS titles FROM user_profiles")
    assert (built_in[0].cities, built_in[0].titles) == (0, 60)
