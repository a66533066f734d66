"""Emails are in the language of their recipient."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.email_inbox import Email, emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import emails

SUBJECTS = {
    "en": "Reset your password", "de": "Setzen Sie Ihr Passwort zurück", "fr": "Réinitialisez votre mot de passe",
    "es": "Restablezca su contraseña", "ar": "أعد تعيين كلمة مرورك",
}  # fmt: skip


def request_reset_email(app: Flask, email: str, accept: str = "") -> Email:
    headers = {"Accept-Language": accept} if accept else {}
    assert (
        app.test_client().post("/userapi/auth/password/reset/", json={"email": email}, headers=headers).status_code
        == 200
    )
    return emails_to(app, email, "reset_password")[-1]


@pytest.mark.parametrize(("language", "subject"), SUBJECTS.items())
def test_an_email_is_in_the_language_of_the_request(app: Flask, language: str, subject: str) -> None:
    make_user(app, email="wren@example.com")

    sent_email = request_reset_email(app, "wren@example.com", f"{language}-XX, ja;q=0.5")

    direction = "rtl" if language == "ar" else "ltr"
    assert sent_email.subject == subject
    assert f'<html lang="{language}" dir="{direction}">' in sent_email.html
    assert f">{subject}</h1>" in sent_email.html
    assert sent_email.link.startswith("http://accounts.example.com/reset/")


def test_the_language_of_the_account_takes_precedence_over_that_of_the_request(app: Flask) -> None:
    make_user(app, email="wren@example.com", language="de")

    assert request_reset_email(app, "wren@example.com", "ar").subject == SUBJECTS["de"]


def test_a_thief_does_not_choose_the_language_of_the_warning(app: Flask, user: ApiUser) -> None:
    user.patch("/userapi/auth/user/", json={"language": "es"})

    credentials = {"email": user.email, "password": user.password}
    thief = {"Accept-Language": "ar", "User-Agent": "Firefox Windows", "X-Forwarded-For": "203.0.113.9"}
    app.test_client().post(
        "/api-token-auth/", json=credentials, headers=thief, environ_overrides={"REMOTE_ADDR": "203.0.113.9"}
    )

    (warning,) = emails_to(app, user.email, "new_sign_in")
    assert warning.subject == "Nuevo inicio de sesión en su cuenta"
    assert "con Firefox en Windows desde la dirección IP 203.0.113.9" in " ".join(warning.text.split())


def test_emails_caused_by_staff_are_in_the_language_of_the_user(app: Flask, superuser: ApiUser) -> None:
    user_id = make_user(app, email="wren@example.com", language="fr")

    granted = superuser.patch(f"/userapi/users/{user_id}/", json={"is_staff": True}, headers={"Accept-Language": "de"})

    assert granted.status_code == 200
    (sent_email,) = emails_to(app, "wren@example.com", "rights_granted")
    assert sent_email.subject == "Vous avez reçu plus d’autorisations"
    assert "membre du personnel" in " ".join(sent_email.text.split())


def test_an_unavailable_account_language_is_replaced_by_that_of_the_request(make_app: Callable[..., Flask]) -> None:
    make_user(make_app(), email="wren@example.com", language="fr")

    fewer = make_app(LANGUAGES="en,de")

    assert request_reset_email(fewer, "wren@example.com", "de").subject == SUBJECTS["de"]


def test_the_email_after_a_registration_is_in_its_language(app: Flask, client: FlaskClient) -> None:
    wanted = new_user()

    client.post("/userapi/users/", json=wanted, headers={"Accept-Language": "de"})

    (sent_email,) = emails_to(app, wanted["email"], "verify_email")
    assert sent_email.subject == "Bestätigen Sie Ihre E-Mail-Adresse"
    assert sent_email.text.startswith("Guten Tag Wren,\n")
    assert "\n-- \nGesendet von accounts.example.com." in sent_email.text


def test_the_language_of_an_email_does_not_set_that_of_the_response(app: Flask, user: ApiUser) -> None:
    credentials = {"email": user.email, "password": PASSWORD}

    response = app.test_client().post(
        "/api-token-auth/",
        json=credentials,
        headers={"User-Agent": "new"},
        environ_overrides={"REMOTE_ADDR": "203.0.113.9"},
    )

    assert emails_to(app, user.email, "new_sign_in")
    assert "Content-Language" not in response.headers


@pytest.mark.parametrize(
    ("language", "minutes", "said"),
    [
        ("en", 1, "in 1 minute."), ("en", 60, "in 60 minutes."),
        ("de", 1, "in 1 Minute ab."), ("de", 60, "in 60 Minuten ab."),
        ("fr", 1, "1 minute."), ("fr", 60, "60 minutes."), ("es", 1, "1 minuto."), ("es", 60, "60 minutos."),
        ("ar", 2, "خلال دقيقتين."), ("ar", 5, "خلال 5 دقائق."), ("ar", 60, "خلال 60 دقيقة."),
    ],
)  # fmt: skip
def test_numbers_use_the_plural_forms_of_the_language(app: Flask, language: str, minutes: int, said: str) -> None:
    with app.app_context():
        emails.send_password_reset(
            emails.Recipient("wren@example.com", language=language), link="x/t/", secret="t", minutes=minutes
        )
        db.session.commit()

    (sent_email,) = emails_to(app, "wren@example.com")
    assert said in sent_email.text
    assert said in sent_email.html


@pytest.mark.parametrize(
    ("language", "moment"),
    [
        ("en", "24 November 2026, 17:45 UTC"), ("de", "24. November 2026, 17:45 UTC"),
        ("fr", "24 novembre 2026 à 17:45 UTC"),
        ("es", "24 de noviembre de 2026, 17:45 UTC"), ("ar", "24 نوفمبر 2026، 5:45 م UTC"),
    ],
)  # fmt: skip
def test_dates_are_written_in_the_language(app: Flask, language: str, moment: str) -> None:
    when = clock.now().replace(year=2026, month=11, day=24, hour=17, minute=45)
    with app.app_context():
        emails.send_password_changed(emails.Recipient("wren@example.com", language=language), when=when, ip=None)
        db.session.commit()

    (sent_email,) = emails_to(app, "wren@example.com")
    for part in (sent_email.text, sent_email.html):
        assert re.sub(r"\s+", " ", moment) in re.sub(r"\s+", " ", part)


def test_lines_of_the_text_part_are_short_and_links_unbroken(app: Flask) -> None:
    make_user(app, email="wren@example.com", first_name="", language="de")

    sent_email = request_reset_email(app, "wren@example.com")

    lines = sent_email.text.split("\n")
    assert sent_email.link in lines
    assert all(len(line) <= 76 for line in lines if line != sent_email.link)
