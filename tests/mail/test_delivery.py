"""Emails delivered to a real mail server: their contents, and what stays stored."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask

from tests.support import email_inbox, servers
from tests.support.email_delivery import EMAIL_TOKEN, deliver_emails, queue_emails, smtp_recipients, stored_emails
from tests.support.factories import new_user
from tests.support.servers import SmtpSink
from userapi.mail.delivery import Counts

pytestmark = pytest.mark.both


def test_M02_an_email_has_one_recipient_and_the_required_headers(
    make_app: Callable[..., Flask], sink: SmtpSink
) -> None:
    app = make_app(
        MAIL_SERVER=sink.host,
        MAIL_PORT=str(sink.port),
        MAIL_DEFAULT_SENDER="Ärzte & Co <no-reply@example.org>",
        MAIL_DELIVERY="none",
    )
    queue_emails(app, "Wren.Okafor@example.com", name="Zoë")

    deliver_emails(app)

    (message,) = sink.messages
    (row,) = stored_emails(app)
    assert sink.envelopes == [("no-reply@example.org", ["Wren.Okafor@example.com"])]
    assert message["To"] == "Wren.Okafor@example.com"
    assert message["From"] == "Ärzte & Co <no-reply@example.org>"
    assert message["Message-ID"] == f"<{row.message_id}@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]) == row.created_at.replace(microsecond=0)
    raw = message.as_bytes()
    assert b"=?utf-8?" in raw.partition(b"\n\n")[0]
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 100
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        assert "Hello Zoë," in part.get_content()
        assert EMAIL_TOKEN in part.get_content()


def test_M08_an_internationalised_domain_is_sent_as_punycode(mail_app: Flask, sink: SmtpSink) -> None:
    wanted = new_user(email="wren@straße.de")
    assert mail_app.test_client().post("/userapi/users/", json=wanted).status_code == 201

    counts = deliver_emails(mail_app)

    assert counts == Counts(sent=1)
    assert smtp_recipients(sink) == ["wren@xn--strae-oqa.de"]


def test_M08_an_address_that_needs_smtputf8_is_rejected_at_registration_and_fails_in_delivery(
    mail_app: Flask, sink: SmtpSink
) -> None:
    rejected = mail_app.test_client().post("/userapi/users/", json=new_user(email="zoë@example.com"))
    queue_emails(mail_app, "zoë@example.com", "wren@example.com")

    counts = deliver_emails(mail_app)

    assert rejected.status_code == 400
    assert counts == Counts(sent=1, failed=1)
    assert smtp_recipients(sink) == ["wren@example.com"]


def test_a_sent_email_keeps_no_secret(mail_app: Flask, sink: SmtpSink) -> None:
    queue_emails(mail_app)
    assert EMAIL_TOKEN in stored_emails(mail_app)[0].text

    deliver_emails(mail_app)

    (row,) = stored_emails(mail_app)
    assert row.sent_at is not None
    assert row.due_at is None
    assert row.secret is None
    assert EMAIL_TOKEN not in row.text + row.html
    assert "/verify-email/…/" in row.text


def test_emails_stay_queued_without_a_mail_server_and_their_links_work(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    wanted = new_user()
    assert app.test_client().post("/userapi/users/", json=wanted).status_code == 201

    counts = deliver_emails(app)

    assert counts == Counts()
    (sent_email,) = email_inbox.emails_to(app, wanted["email"])
    confirmed = app.test_client().post("/userapi/auth/email/verify/", json={"token": sent_email.token})
    assert confirmed.status_code == 200


class Talkative(SmtpSink):
    """Repeats the recipient in its replies."""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = await super().handle_RCPT(server, session, envelope, address, options)
        return reply if reply.startswith("250") else f"550 5.1.1 No mailbox for <{address}>"


def test_M04_the_log_names_neither_recipient_nor_secret(
    make_app: Callable[..., Flask], capfd: pytest.CaptureFixture[str]
) -> None:
    with servers.smtp_sink(Talkative) as sink:
        app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none")
        queue_emails(app, "wren@example.com", "gone@example.com")
        sink.rejected_recipients.add("gone@example.com")

        deliver_emails(app)

    log_output = capfd.readouterr().err
    assert log_output.count("email sent") == 1
    assert log_output.count("email failed") == 1
    assert "No mailbox for <…>" in log_output
    assert EMAIL_TOKEN not in log_output
    assert "@example.com" not in log_output
