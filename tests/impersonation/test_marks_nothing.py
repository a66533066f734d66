"""An impersonation leaves nothing that the service could take for a trace of the user."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.email_inbox import emails_to
from tests.support.impersonation import begin, stop
from tests.support.sign_in_attempts import guess_passwords, sign_in_from_ip
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_client import sign_in_with_cookies, stored_value

#: The IP address of the test client, from which the member of staff acts.
STAFF_IP = "127.0.0.1"

#: Moves the sessions of the user itself to a place where the member of staff is not.
MOVE_OWN = (
    "UPDATE login_sessions SET address = '198.51.100.1', user_agent = 'Elsewhere' "
    "WHERE impersonator_id IS NULL AND user_id = :id"
)


@pytest.mark.both
def test_W69_the_ip_address_of_staff_opens_no_throttle(make_app: Callable[..., Flask]) -> None:
    app = make_app(IMPERSONATION="true", RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_ACCOUNT="2 per hour")
    running = begin(app)
    stop(running.support)
    execute_sql(app, MOVE_OWN, id=running.user.id)

    statuses = [guess_passwords(app, f"203.0.113.{number}", running.user.email)[0] for number in range(3)]

    assert statuses == [401, 401, 429]
    assert sign_in_from_ip(app, STAFF_IP, running.user.email).status_code == 429
    assert sign_in_from_ip(app, "198.51.100.1", running.user.email).status_code == 200


@pytest.mark.both
def test_W69_it_is_no_sign_in_and_no_known_device(app: Flask) -> None:
    running = begin(app)
    before = stored_value(app, running.user.id, "last_login")
    running.support.get("/account/")
    running.support.get("/account/devices/")
    stop(running.support)

    assert stored_value(app, running.user.id, "last_login") == before
    started = "SELECT count(*) FROM audit_events WHERE action = 'session.started' AND target_id = '{}'"
    assert fetch_number(app, started.format(running.user.id)) == 1  # the user's own
    assert fetch_number(app, "SELECT count(*) FROM remembered_devices") == 0
    execute_sql(app, MOVE_OWN, id=running.user.id)
    sign_in_with_cookies(app, running.user.id)  # from where the member of staff was
    assert [email.kind for email in emails_to(app, running.user.email, "new_sign_in")] == ["new_sign_in"]


@pytest.mark.both
def test_W69_it_ends_no_session_of_a_user_who_has_the_maximum(make_app: Callable[..., Flask]) -> None:
    app = make_app(IMPERSONATION="true", SESSIONS_PER_USER="1")
    running = begin(app)

    sign_in_with_cookies(app, running.user.id)

    rows = fetch_rows(app, f"SELECT impersonator_id, ended_at FROM login_sessions WHERE user_id = {running.user.id}")
    assert len([row for row in rows if row.ended_at is None]) == 2  # the newest of the user's own, and this
