"""What letters say, and what those we write about cannot make them say."""

from collections.abc import Callable
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
from userapi.mail import emails, queue
from userapi.mail.delivery import deliver_due

RECIPIENT = "wren@example.com"
ADDRESS = "203.0.113.5"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
LINK = "http://accounts.example.com/reset/7/t0ken/"

#: Every letter, as the rules of the house ask for it.
LETTERS: dict[str, Callable[[str], None]] = {
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
    "invitation": lambda name: emails.send_invitation(
        emails.Recipient(RECIPIENT, name), inviter="Ada Byron", link=LINK, secret="t0ken", expires_at=clock.now()
    ),
    "password_changed": lambda name: emails.send_password_changed(
        emails.Recipient(RECIPIENT, name), when=clock.now(), ip=ADDRESS
    ),
    "new_sign_in": lambda name: emails.send_new_sign_in(
        emails.Recipient(RECIPIENT, name), when=clock.now(), user_agent=FIREFOX, ip=ADDRESS
    ),
    "token_reused": lambda name: emails.send_token_reused(
        emails.Recipient(RECIPIENT, name), when=clock.now(), ip=ADDRESS
    ),
    "rights_granted": lambda name: emails.send_permissions_granted(
        emails.Recipient(RECIPIENT, name), rights=["is_staff"]
    ),
}


def written(app: Flask, kind: str, name: str = "Wren") -> email_inbox.Email:
    with app.app_context():
        LETTERS[kind](name)
        db.session.commit()
    return email_inbox.all_emails(app, kind)[-1]


def deliver(app: Flask) -> None:
    with app.app_context():
        counts = deliver_due(100)
    assert (counts.delayed, counts.failed) == (0, 0)


@pytest.mark.parametrize("kind", LETTERS)
def test_M04_a_letter_says_to_whom_when_and_what_if_it_was_not_you(app: Flask, kind: str) -> None:
    letter = written(app, kind)

    for part in (letter.text, letter.html):
        assert "Hello Wren," in part
        assert f"{clock.now():%B %Y}" in part
        assert "accounts.example.com" in part
        assert any(words in part for words in ("If this wasn't you", "Not you?", "Didn't expect", "weren't expecting"))


@pytest.mark.parametrize("kind", ["verify_email", "confirm_new_email", "reset_password", "invitation"])
def test_M04_a_letter_that_asks_for_something_gives_its_link_in_both_parts(app: Flask, kind: str) -> None:
    letter = written(app, kind)

    assert f"\n{LINK}\n" in letter.text
    assert f'href="{LINK}"' in letter.html


def test_M04_a_reset_letter_says_how_long_its_link_is_good(app: Flask) -> None:
    assert "60 minutes" in written(app, "reset_password").text


def test_M04_a_notice_of_a_sign_in_says_where_it_came_from(app: Flask) -> None:
    letter = written(app, "new_sign_in")

    for part in (letter.text, letter.html):
        assert ADDRESS in part
        assert "Firefox on Windows" in part


def test_F16_the_old_address_gets_no_more_than_a_hint_at_the_new_one(app: Flask) -> None:
    letter = written(app, "email_changed")

    for part in (letter.text, letter.html):
        assert "o…@e….example" in part
        assert "elsewhere" not in part


def test_F16_a_notice_of_new_rights_names_them(app: Flask) -> None:
    assert "staff member" in written(app, "rights_granted").text


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
        "Your account is suspended, call our office at once now",
    ],
)
@pytest.mark.parametrize("kind", ["verify_email", "new_sign_in"])
def test_M03_a_name_that_could_carry_a_message_is_left_out(app: Flask, kind: str, name: str) -> None:
    assert "Hello Wren," in written(app, kind).text

    letter = written(app, kind, name)

    for part in (letter.text, letter.html):
        assert "Hello," in part
        assert "evil" not in part
        assert "suspended" not in part


@pytest.mark.parametrize("name", ["Zoë", "J.R.", "Jean-Luc", "O'Neil", "St. John", "美咲", "Mary Ann & Sons"])
def test_M03_a_name_stays_a_name(app: Flask, name: str) -> None:
    assert f"Hello {name}," in written(app, "verify_email", name).text


def test_M03_a_name_is_escaped_in_the_html_part_alone(app: Flask) -> None:
    letter = written(app, "verify_email", 'Tom & "Co')

    assert 'Hello Tom & "Co,' in letter.text
    assert "Hello Tom &amp; &#34;Co," in letter.html


def test_M03_what_a_browser_calls_itself_is_not_repeated(app: Flask) -> None:
    with app.app_context():
        emails.send_new_sign_in(
            emails.Recipient(RECIPIENT),
            when=clock.now(),
            user_agent="Call +1 555 0100 https://evil.example Firefox",
            ip=ADDRESS,
        )
        db.session.commit()
    (letter,) = email_inbox.all_emails(app)

    assert "with Firefox from" in letter.text
    assert "evil" not in letter.text + letter.html


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


def test_M01_a_recipient_with_a_line_break_is_not_written_to(mail_app: Flask, sink: SmtpSink) -> None:
    with mail_app.app_context():
        for recipient in (f"{RECIPIENT}\r\nRCPT TO:<thief@example.com>", RECIPIENT):
            queue.add("verify_email", recipient, "Hello", name="", link=LINK)
        db.session.commit()
        counts = deliver_due(100)

    assert (counts.failed, counts.sent) == (1, 1)
    assert [recipients for _, recipients in sink.envelopes] == [[RECIPIENT]]


def test_M05_links_are_built_from_the_settings_whatever_host_is_named(make_app: Callable[..., Flask]) -> None:
    app = make_app(SITE_URL="https://accounts.example.com")
    wanted = new_user()

    response = app.test_client().post(
        "/userapi/users/", json=wanted, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )

    assert response.status_code == 201, response.text
    (letter,) = email_inbox.emails_to(app, wanted["email"])
    assert letter.link.startswith("https://accounts.example.com/")
    assert "evil" not in letter.text + letter.html


def test_a_deployer_puts_templates_of_their_own_first(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    (tmp_path / "verify_email.txt").write_text("Ahoy {{ name }}! {{ link }}")
    app = make_app(MAIL_TEMPLATES=str(tmp_path))

    letter = written(app, "verify_email")

    assert letter.text == f"Ahoy Wren! {LINK}"
    assert "Confirm email address" in letter.html


def test_M07_a_registration_that_is_refused_writes_no_letter(client: FlaskClient, app: Flask, user: ApiUser) -> None:
    accepted = new_user()
    assert client.post("/userapi/users/", json=accepted).status_code == 201
    assert len(email_inbox.emails_to(app, accepted["email"])) == 1

    refused = client.post("/userapi/users/", json=new_user(email=user.email.upper()))

    assert refused.status_code == 400
    assert email_inbox.emails_to(app, user.email.upper()) == []


def test_M07_a_letter_goes_with_the_transaction_that_wrote_it(app: Flask) -> None:
    with app.app_context():
        LETTERS["verify_email"]("Wren")
        db.session.flush()
        db.session.rollback()

    assert email_inbox.all_emails(app) == []


def test_F02_a_decoy_leaves_no_letter(app: Flask) -> None:
    with app.app_context():
        emails.simulate_password_reset()
        db.session.commit()

    assert email_inbox.all_emails(app) == []
