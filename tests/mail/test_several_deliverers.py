"""Deliverers that die, overrun their lease or run in parallel send every email once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.email_delivery import (
    MoveClock,
    clock_mover,
    deliver_emails,
    queue_emails,
    smtp_recipients,
    stored_emails,
)
from tests.support.race import run_simultaneously
from tests.support.servers import SmtpSink
from userapi.core import clock, leases
from userapi.core.db import db
from userapi.mail import queries
from userapi.mail.delivery import Counts

pytestmark = pytest.mark.both


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    return clock_mover(monkeypatch)


def test_X10_an_email_whose_deliverer_died_is_sent_when_its_lease_expires(
    mail_app: Flask, sink: SmtpSink, later: MoveClock
) -> None:
    queue_emails(mail_app)
    with mail_app.app_context():
        claimed = queries.claim(clock.now(), timedelta(seconds=30))
        db.session.commit()
    assert claimed is not None

    during = deliver_emails(mail_app)
    later(timedelta(seconds=31))
    after = deliver_emails(mail_app)

    assert (during, after) == (Counts(), Counts(sent=1))
    assert sink.messages[0]["Message-ID"] == f"<{claimed.message_id}@accounts.example.com>"


def test_X10_an_email_that_crashes_its_deliverers_fails(
    make_app: Callable[..., Flask], sink: SmtpSink, later: MoveClock
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_MAX_ATTEMPTS="2", MAIL_DELIVERY="none")
    queue_emails(app)
    for minute in range(2):
        later(timedelta(minutes=minute))
        with app.app_context():
            assert queries.claim(clock.now(), timedelta(seconds=30)) is not None
            db.session.commit()
    later(timedelta(minutes=2))

    counts = deliver_emails(app)

    assert counts == Counts(failed=1)
    assert sink.messages == []


def test_M06_a_deliverer_with_an_expired_lease_does_not_overwrite_the_result_of_the_next(
    mail_app: Flask, sink: SmtpSink
) -> None:
    queue_emails(mail_app)
    with mail_app.app_context():
        first = queries.claim(clock.now(), timedelta(seconds=-1))
        second = queries.claim(clock.now(), timedelta(seconds=30))
        db.session.commit()
        assert first is not None
        assert second is not None

        leases.finish(queries.emails, second, sent_at=clock.now(), due_at=None)
        with pytest.raises(leases.LeaseLost):
            leases.finish(queries.emails, first, given_up_at=clock.now(), due_at=None)
        db.session.commit()

    assert stored_emails(mail_app)[0].sent_at is not None
    assert stored_emails(mail_app)[0].given_up_at is None


def test_M06_parallel_deliverers_send_each_email_once(mail_app: Flask, sink: SmtpSink) -> None:
    recipients = sorted(f"person{number}@example.com" for number in range(60))
    queue_emails(mail_app, *recipients)

    totals = run_simultaneously([lambda: deliver_emails(mail_app)] * 4)

    assert smtp_recipients(sink) == recipients
    assert sum(counts.sent for counts in totals) == 60
    assert [row.attempts for row in stored_emails(mail_app)] == [1] * 60
    assert sum(counts.sent > 0 for counts in totals) > 1
