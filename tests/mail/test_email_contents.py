"""The contents of emails, and what user input cannot add to them."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import email_inbox
from tests.support.api_client import ApiUser
from tests.support.factories import new_user
from tests.support.servers import SmtpSink
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import app_emails, code_emails, emails, factor_emails, invitation_emails, queue
from userapi.mail.delivery import deliver_due

RECIPIENT = "wren@example.com"
ADDRESS = "203.0.113.5"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
LINK = "http://accounts.example.com/reset/7/t0ken/"


def _invite(name: str, *, has_account: bool) -> None:
    invitation_emails.send_invitation(
        emails.Recipient(RECIPIENT, name), has_account=has_account, inviter="Ada Byron", message="", link=LINK,
        secret="t0ken", expires_at=clock.now() + timedelta(minutes=1),
    )  # fmt: skip


#: Sends an email of each kind.
SENDERS: dict[str, Callable[[str], None]] = {
    "verify_email": lambda name: emails.send_verification(emails.Recipient(RECIPIENT, name), link=LINK, secret="t0ken"),
    "confirm_new_email": lambda name: emails.send_email_change_confirmation(
        emails.Recipient(RECIPIENT, name), link=LINK, secret="t0ken"
    ),
    "email_changed": lambda name: emails.send_email_changed(
        emails.Recipient(RECIPIENT, name), new_email="other@elsewhere.example"
    ),
    "reset_password": lambda name: emails.send_password_reset(
        emails.Recipient(RECIPIENT, name), link=LINK, secret="t0ken", minutes=60
    ),
    "invitation": lambda name: _invite(name, has_account=False),
    "invitation_to_account": lambda name: _invite(name, has_account=True),
    "password_changed": lambda name: emails.send_password_changed(
        emails.Recipient(RECIPIENT, name), when=clock.now(), ip=ADDRESS
    ),
    "new_sign_in": lambda name: emails.send_new_sign_in(
        emails.Recipient(RECIPIENT, name), when=clock.now(), user_agent=FIREFOX, ip=ADDRESS
    ),
    "account_claimed": lambda name: code_emails.send_account_claimed(
        emails.Recipient(RECIPIENT, name), when=clock.now(), ip=ADDRESS
    ),
    "token_reused": lambda name: emails.send_token_reused(
        emails.Recipient(RECIPIENT, name), when=clock.now(), ip=ADDRESS
    ),
    "app_allowed": lambda name: app_emails.send_app_allowed(
        emails.Recipient(RECIPIENT, name), app="Handbook", link=LINK, when=clock.now()
    ),
    "app_token_reused": lambda name: app_emails.send_app_token_reused(
        emails.Recipient(RECIPIENT, name), app="Handbook", when=clock.now()
    ),
    "factor_added": lambda name: factor_emails.send_factor_added(
        emails.Recipient(RECIPIENT, name), kind="totp", factor="Phone", is_first=True, when=clock.now()
    ),
    "factor_removed": lambda name: factor_emails.send_factor_removed(
        emails.Recipient(RECIPIENT, name), kind="passkey", factor="Key", is_last=True, when=clock.now()
    ),
    "key_may_be_copied": lambda name: factor_emails.send_key_may_be_copied(
        emails.Recipient(RECIPIENT, name), passkey="Key", when=clock.now()
    ),
    "second_step_off": lambda name: factor_emails.send_second_step_off(
        emails.Recipient(RECIPIENT, name), when=clock.now()
    ),
    "recovery_codes_made": lambda name: factor_emails.send_recovery_codes_made(
        emails.Recipient(RECIPIENT, name), when=clock.now()
    ),
    "recovery_code_used": lambda name: factor_emails.send_recovery_code_used(
        emails.Recipient(RECIPIENT, name), left=3, when=clock.now()
    ),
    "second_step_failing": lambda name: factor_emails.send_second_step_failing(
        emails.Recipient(RECIPIENT, name), when=clock.now()
    ),
    "second_step_locked": lambda name: factor_emails.send_second_step_locked(
        emails.Recipient(RECIPIENT, name), when=clock.now(), reset_helps=True
    ),
    "factors_reset": lambda name: factor_emails.send_factors_reset(
        emails.Recipient(RECIPIENT, name), when=clock.now(), reason="Lost phone", must_reset_password=True
    ),
    "rights_granted": lambda name: emails.send_permissions_granted(
        emails.Recipient(RECIPIENT, name), rights=["is_staff"]
    ),
}


def queue_and_read(app: Flask, kind: str, name: str = "Wren") -> email_inbox.Email:
    with app.app_context():
        SENDERS[kind](name)
        db.session.commit()
    return email_inbox.all_emails(app, kind)[-1]


def deliver(app: Flask) -> None:
    with app.app_context():
        counts = deliver_due(100)
    assert (counts.delayed, counts.failed) == (0, 0)


@pytest.mark.parametrize("kind", SENDERS)
def test_M04_a_notice_names_the_account_and_time_and_says_what_to_do_if_it_was_not_you(app: Flask, kind: str) -> None:
    sent_email = queue_and_read(app, kind)

    for part in (sent_email.text, sent_email.html):
        assert "Hello Wren," in part
        assert f"{clock.now():%B %Y}" in part
        assert "accounts.example.com" in part
        assert any(words in part for words in ("If this wasn't you", "Not you?", "Didn't expect", "weren't expecting"))


@pytest.mark.parametrize("kind", ["verify_email", "confirm_new_email", "reset_password", "invitation"])
def test_M04_an_email_with_a_link_has_it_in_both_parts(app: Flask, kind: str) -> None:
    sent_email = queue_and_read(app, kind)

    assert f"\n{LINK}\n" in sent_email.text
    assert f'href="{LINK}"' in sent_email.html


def test_M04_a_reset_email_says_when_its_link_expires(app: Flask) -> None:
    assert "60 minutes" in queue_and_read(app, "reset_password").text


def test_M04_a_notice_of_a_sign_in_names_device_and_ip_address(app: Flask) -> None:
    sent_email = queue_and_read(app, "new_sign_in")

    for part in (sent_email.text, sent_email.html):
        assert ADDRESS in part
        assert "Firefox on Windows" in part


def test_F16_the_notice_to_the_old_address_masks_the_new_one(app: Flask) -> None:
    sent_email = queue_and_read(app, "email_changed")

    for part in (sent_email.text, sent_email.html):
        assert "o…@e….example" in part
        assert "elsewhere" not in part


def test_F16_a_notice_of_new_permissions_names_them(app: Flask) -> None:
    assert "staff member" in queue_and_read(app, "rights_granted").text


@pytest.mark.parametrize(
    "name",
    [
        "visit https://evil.example/win",
        "evil.example",
        "www.evil",
        "//evil",
        "prize@evil.example",
        "tel:+15550100",
        "evil。example",
        "[win](evil)",
        "<b>Wren</b>",
        "\u202egnp.exe",
        "Your account is suspended, call our office right now",
    ],
)
@pytest.mark.parametrize("kind", ["verify_email", "new_sign_in"])
def test_M03_a_name_that_could_contain_a_message_is_left_out(app: Flask, kind: str, name: str) -> None:
    assert "Hello Wren," in queue_and_read(app, kind).text

    sent_email = queue_and_read(app, kind, name)

    for part in (sent_email.text, sent_email.html):
        assert "Hello," in part
        assert "evil" not in part
        assert "suspended" not in part


@pytest.mark.parametrize("name", ["Zoë", "J.R.", "Jean-Luc", "O'Neil", "St. John", "美咲", "Mary Ann & Sons"])
def test_M03_ordinary_names_are_kept(app: Flask, name: str) -> None:
    assert f"Hello {name}," in queue_and_read(app, "verify_email", name).text


def test_M03_a_name_is_escaped_only_in_the_html_part(app: Flask) -> None:
    sent_email = queue_and_read(app, "verify_email", 'Tom & "Co')

    assert 'Hello Tom & "Co,' in sent_email.text
    assert "Hello Tom &amp; &#34;Co," in sent_email.html


def test_M03_the_user_agent_is_not_repeated(app: Flask) -> None:
    with app.app_context():
        emails.send_new_sign_in(
            emails.Recipient(RECIPIENT),
            when=clock.now(),
            user_agent="Call +1 555 0100 https://evil.example Firefox",
            ip=ADDRESS,
        )
        db.session.commit()
    (sent_email,) = email_inbox.all_emails(app)

    assert "with Firefox from" in sent_email.text
    assert "evil" not in sent_email.text + sent_email.html


def test_M01_line_breaks_in_a_subject_or_name_add_no_header_and_no_recipient(mail_app: Flask, sink: SmtpSink) -> None:
    facts: dict[str, Any] = {"name": "Wren\r\nBcc: thief@example.com", "link": LINK}
    with mail_app.app_context():
        queue.add("verify_email", RECIPIENT, "Hello\r\nBcc: thief@example.com\x00\r\n\r\nbody", **facts)
        db.session.commit()

    deliver(mail_app)

    (message,) = sink.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello Bcc: thief@example.com body"
    assert sink.envelopes == [("no-reply@accounts.example.com", [RECIPIENT])]


def test_M01_rejects_a_recipient_with_a_line_break(mail_app: Flask, sink: SmtpSink) -> None:
    with mail_app.app_context():
        for recipient in (f"{RECIPIENT}\r\nRCPT TO:<thief@example.com>", RECIPIENT):
            queue.add("verify_email", recipient, "Hello", name="", link=LINK)
        db.session.commit()
        counts = deliver_due(100)

    assert (counts.failed, counts.sent) == (1, 1)
    assert [recipients for _, recipients in sink.envelopes] == [[RECIPIENT]]


def test_M05_links_are_built_from_the_settings_whatever_the_host_header(make_app: Callable[..., Flask]) -> None:
    app = make_app(SITE_URL="https://accounts.example.com")
    wanted = new_user()

    response = app.test_client().post(
        "/userapi/users/", json=wanted, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )

    assert response.status_code == 201, response.text
    (sent_email,) = email_inbox.emails_to(app, wanted["email"])
    assert sent_email.link.startswith("https://accounts.example.com/")
    assert "evil" not in sent_email.text + sent_email.html


def test_templates_of_the_deployer_take_precedence(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    (tmp_path / "verify_email.txt").write_text("Ahoy {{ name }}! {{ link }}")
    app = make_app(MAIL_TEMPLATES=str(tmp_path))

    sent_email = queue_and_read(app, "verify_email")

    assert sent_email.text == f"Ahoy Wren! {LINK}"
    assert "Confirm email address" in sent_email.html


def test_M07_a_rejected_registration_queues_no_email(client: FlaskClient, app: Flask, user: ApiUser) -> None:
    accepted = new_user()
    assert client.post("/userapi/users/", json=accepted).status_code == 201
    assert len(email_inbox.emails_to(app, accepted["email"])) == 1

    rejected = client.post("/userapi/users/", json=new_user(email=user.email.upper()))

    assert rejected.status_code == 400
    assert email_inbox.emails_to(app, user.email.upper()) == []


def test_M07_an_email_is_queued_with_its_transaction(app: Flask) -> None:
    with app.app_context():
        SENDERS["verify_email"]("Wren")
        db.session.flush()
        db.session.rollback()

    assert email_inbox.all_emails(app) == []


def test_F02_a_decoy_queues_no_email(app: Flask) -> None:
    with app.app_context():
        emails.simulate_password_reset()
        db.session.commit()

    assert email_inbox.all_emails(app) == []
