"""Mail servers that reject emails, hang, are down or reject our credentials."""

import socket
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import processes
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from flask import Flask

from tests.support import servers
from tests.support.email_delivery import (
    EMAIL_TOKEN,
    MoveClock,
    clock_mover,
    deliver_emails,
    queue_emails,
    smtp_recipients,
    stored_emails,
)
from tests.support.servers import SmtpSink
from userapi.core import clock
from userapi.mail.delivery import MAX_DELAY, Counts, retry_delay

pytestmark = pytest.mark.both


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    return clock_mover(monkeypatch)


def test_M06_an_email_to_a_rejected_recipient_fails_immediately_and_does_not_delay_others(
    mail_app: Flask, sink: SmtpSink
) -> None:
    sink.rejected_recipients.add("gone@example.com")
    queue_emails(mail_app, "first@example.com", "gone@example.com", "last@example.com")

    counts = deliver_emails(mail_app)

    assert counts == Counts(sent=2, failed=1)
    assert smtp_recipients(sink) == ["first@example.com", "last@example.com"]
    rejected = stored_emails(mail_app)[1]
    assert (rejected.attempts, rejected.due_at) == (1, None)
    assert rejected.given_up_at is not None
    assert rejected.last_error == "550 5.1.1 No such mailbox"
    assert rejected.secret == EMAIL_TOKEN


def test_M06_rejected_content_fails_immediately_and_is_quoted_without_the_secret(
    mail_app: Flask, sink: SmtpSink
) -> None:
    sink.reply = f"554 5.7.1 We do not like /verify-email/{EMAIL_TOKEN}/"
    queue_emails(mail_app)

    counts = deliver_emails(mail_app)

    assert counts == Counts(failed=1)
    assert stored_emails(mail_app)[0].last_error == "554 5.7.1 We do not like /verify-email/…/"


def test_M06_a_temporary_error_is_retried_with_growing_delays_until_the_email_fails(
    make_app: Callable[..., Flask], sink: SmtpSink, later: MoveClock
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_MAX_ATTEMPTS="5", MAIL_DELIVERY="none")
    queue_emails(app)
    sink.reply = "451 4.3.0 Try again later"
    delays, now = [], timedelta()
    for _ in range(4):
        later(now)
        assert deliver_emails(app) == Counts(delayed=1)
        assert deliver_emails(app) == Counts()
        due_at = stored_emails(app)[0].due_at
        assert due_at is not None
        delays.append(due_at - clock.now())
        now += delays[-1] + timedelta(seconds=1)

    later(now)
    last = deliver_emails(app)

    assert last == Counts(failed=1)
    assert delays == sorted(delays)
    (row,) = stored_emails(app)
    assert (row.attempts, row.due_at, row.last_error) == (5, None, "451 4.3.0 Try again later")
    later(timedelta(days=365))
    assert deliver_emails(app) == Counts()


def test_M06_delays_double_up_to_an_hour_and_differ_between_emails() -> None:
    for attempts in range(1, 101):
        drawn = [retry_delay(attempts).total_seconds() for _ in range(20)]
        middle = min(5 * 2 ** (attempts - 1), MAX_DELAY)
        assert middle * 0.75 <= min(drawn) < max(drawn) <= middle * 1.25


def test_X08_emails_queued_during_an_outage_of_the_mail_server_are_sent_afterwards(
    make_app: Callable[..., Flask], later: MoveClock
) -> None:
    port = processes.free_port()
    app = make_app(MAIL_SERVER="127.0.0.1", MAIL_PORT=str(port), MAIL_DELIVERY="none")
    queue_emails(app, *(f"person{number}@example.com" for number in range(5)))

    down = deliver_emails(app)

    assert down == Counts(delayed=1, unreachable=True)  # one email is enough to find out
    assert "ConnectionRefusedError" in str(stored_emails(app)[0].last_error)
    with servers.smtp_sink(port=port) as sink:
        later(timedelta(minutes=1))
        assert deliver_emails(app) == Counts(sent=5)
        assert len(smtp_recipients(sink)) == 5
        assert stored_emails(app)[0].last_error is None


def test_X08_a_hanging_mail_server_is_abandoned_after_the_timeout(
    make_app: Callable[..., Flask], sink: SmtpSink
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_TIMEOUT="1", MAIL_DELIVERY="none")
    queue_emails(app, "first@example.com", "last@example.com")
    sink.hanging = True

    began = time.monotonic()
    counts = deliver_emails(app)
    took = time.monotonic() - began

    sink.hanging = False
    assert counts == Counts(delayed=1, unreachable=True)
    assert took < 8
    assert "timed out" in str(stored_emails(app)[0].last_error)


def test_X08_a_mail_server_that_never_greets_is_abandoned_after_the_timeout(make_app: Callable[..., Flask]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        app = make_app(MAIL_SERVER="127.0.0.1", MAIL_PORT=str(port), MAIL_TIMEOUT="1", MAIL_DELIVERY="none")
        queue_emails(app)

        began = time.monotonic()
        counts = deliver_emails(app)
        took = time.monotonic() - began

    assert counts == Counts(delayed=1, unreachable=True)
    assert took < 8


def accept_our_password(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
) -> AuthResult:
    return AuthResult(success=given.login == b"us" and given.password == b"right", handled=False)


def test_a_wrong_password_for_the_mail_server_delays_emails_and_loses_none(
    make_app: Callable[..., Flask], later: MoveClock
) -> None:
    with servers.smtp_sink(authenticator=accept_our_password, auth_require_tls=False) as sink:
        server = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "MAIL_USERNAME": "us", "MAIL_DELIVERY": "none"}
        app = make_app(**server, MAIL_PASSWORD="wrong")
        queue_emails(app, "first@example.com", "last@example.com")

        counts = deliver_emails(app)

        assert counts == Counts(delayed=1, unreachable=True)
        assert str(stored_emails(app)[0].last_error).startswith("535 ")
        later(timedelta(minutes=1))
        assert deliver_emails(make_app(**server, MAIL_PASSWORD="right")) == Counts(sent=2)
