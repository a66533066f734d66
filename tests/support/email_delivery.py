"""Queueing and delivering emails at a moment that the test chooses."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.servers import SmtpSink
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import emails
from userapi.mail.delivery import Counts, deliver_due
from userapi.mail.models import EmailMessage

EMAIL_TOKEN = "t0ken-of-the-email"

MoveClock = Callable[[timedelta], None]


def queue_emails(app: Flask, *recipients: str, name: str = "Wren") -> None:
    with app.app_context():
        for recipient in recipients or ("wren@example.com",):
            link = f"http://accounts.example.com/verify-email/{EMAIL_TOKEN}/"
            emails.send_verification(emails.Recipient(recipient, name), link=link, secret=EMAIL_TOKEN)
        db.session.commit()


def deliver_emails(app: Flask, limit: int = 1000) -> Counts:
    with app.app_context():
        return deliver_due(limit)


def stored_emails(app: Flask) -> list[EmailMessage]:
    with app.app_context():
        found = list(db.session.scalars(sa.select(EmailMessage).order_by(EmailMessage.id)))
        db.session.expunge_all()
        return found


def smtp_recipients(sink: SmtpSink) -> list[str]:
    return sorted(recipient for _, found in sink.envelopes for recipient in found)


def clock_mover(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """Moves the clock ahead of the present time: `later(timedelta(minutes=1))`."""

    def turn(by: timedelta) -> None:
        moment = datetime.now(UTC) + by
        monkeypatch.setattr(clock, "now", lambda: moment)

    return turn
