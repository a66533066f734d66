"""The site's name, logo, colour and support address in delivered emails."""

import re
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

from tests.mail.test_email_contents import SENDERS
from tests.support.email_delivery import deliver_emails
from tests.support.images import PNG, SVG
from tests.support.servers import SmtpSink
from tests.support.staff_client import staff_client
from userapi.core.db import db
from userapi.mail import emails

NAME = "Fisher & Sons <Shop>"


@pytest.fixture
def deliver(make_app: Callable[..., Flask], sink: SmtpSink) -> Callable[..., EmailMessage]:
    """Delivers one email of an application with some settings."""

    def deliver(kind: str = "reset_password", **settings: str) -> EmailMessage:
        app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none", **settings)
        with app.app_context():
            if kind == "test_email":
                emails.create_test_email("wren@example.com")
            else:
                SENDERS[kind]("Wren")
            db.session.commit()
        assert deliver_emails(app).sent == 1
        return sink.messages[-1]

    return deliver


def part(email: EmailMessage, kind: str) -> str:
    body = email.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def joined(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("kind", [*SENDERS, "test_email"])
def test_every_email_names_the_site_says_why_it_came_and_where_to_get_help(
    deliver: Callable[..., EmailMessage], kind: str
) -> None:
    email = deliver(kind, SITE_NAME=NAME, SUPPORT_EMAIL="help@example.com")

    text, html = joined(part(email, "plain")), joined(part(email, "html"))
    for body, name in ((text, NAME), (html, "Fisher &amp; Sons &lt;Shop&gt;")):
        assert body.count(name) >= 3, body
        assert "You received this email because" in body
        assert "Need help? Write to help@example.com." in body
        assert "accounts.example.com" not in re.sub(r"https?://\S+", "", body)
    assert "<Shop>" not in html


def test_without_settings_an_email_names_the_host_and_the_house_color(deliver: Callable[..., EmailMessage]) -> None:
    email = deliver()

    html = part(email, "html")
    assert "User accounts" in html
    assert "for your account at accounts.example.com" in joined(part(email, "plain"))
    assert "background-color: #0f766e; color: #ffffff" in html
    assert "<img" not in html
    assert "Need help?" not in html + part(email, "plain")
    assert email["From"] == "no-reply@accounts.example.com"


def test_the_button_and_links_have_readable_shades_of_the_color_in_both_modes(
    deliver: Callable[..., EmailMessage],
) -> None:
    html = part(deliver(SITE_COLOR="#facc15"), "html")

    assert re.search(r'<a class="button"[^>]*background-color: #facc15; color: #111827;', html)
    assert re.search(r'<a href="http[^"]*" dir="ltr" style="color: #826a0b;">', html)
    dark = html.partition("prefers-color-scheme: dark")[2].partition("</style>")[0]
    assert ".button { background-color: #facc15 !important; color: #111827 !important; }" in dark
    assert "a:not(.button) { color: #facc15 !important; }" in dark


def test_a_png_logo_stands_in_emails_and_another_one_does_not(
    deliver: Callable[..., EmailMessage], tmp_path: Path
) -> None:
    (tmp_path / "png").write_bytes(PNG)
    (tmp_path / "svg").write_bytes(SVG)

    with_png = part(deliver(SITE_LOGO=str(tmp_path / "png"), SITE_NAME=NAME), "html")
    with_svg = part(deliver(SITE_LOGO=str(tmp_path / "svg"), SITE_NAME=NAME), "html")

    (image,) = re.findall("<img[^>]*>", with_png)
    assert 'src="http://accounts.example.com/site-logo?v=' in image
    assert 'alt="Fisher &amp; Sons &lt;Shop&gt;"' in image
    assert "<img" not in with_svg


def test_the_sender_has_the_name_of_the_site(deliver: Callable[..., EmailMessage]) -> None:
    assert deliver(SITE_NAME="Söhne, Inc.")["From"].addresses[0].display_name == "Söhne, Inc."
    set_by_hand = deliver(SITE_NAME="Shop", MAIL_DEFAULT_SENDER="Accounts <a@example.com>")
    assert str(set_by_hand["From"]) == "Accounts <a@example.com>"


def test_an_invitation_names_the_site_in_its_subject(deliver: Callable[..., EmailMessage]) -> None:
    assert deliver("invitation", SITE_NAME="Example Shop")["Subject"] == "You have been invited to Example Shop"


def test_staff_see_the_logo_in_the_preview_of_an_email(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    (tmp_path / "logo").write_bytes(PNG)
    app = make_app(SITE_LOGO=str(tmp_path / "logo"))
    staff = staff_client(app, is_staff=True, is_superuser=True)
    with app.app_context():
        email = emails.create_test_email("wren@example.com")
        db.session.commit()
        email_id = email.id

    preview = staff.get(f"/admin/emails/{email_id}/html/")

    assert "<img" in preview.text
    policy = preview.headers["Content-Security-Policy"]
    assert "img-src data: http://accounts.example.com/site-logo;" in policy
    assert "default-src 'none'" in policy
