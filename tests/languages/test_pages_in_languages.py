"""Pages and the staff site in other languages: the links in the footer, direction, dates and numbers."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser
from userapi.core import clock

HEADINGS = {
    "en": "Sign in", "de": "Anmelden", "fr": "Se connecter", "es": "Iniciar sesión", "ar": "تسجيل الدخول",
}  # fmt: skip


def heading(page: TestResponse) -> str:
    found = re.search(r"<h1>(.*?)</h1>", page.text)
    assert found
    return found[1]


def root(page: TestResponse) -> tuple[str, str]:
    found = re.search(r'<html lang="([^"]*)" dir="([^"]*)">', page.text)
    assert found
    return found[1], found[2]


@pytest.mark.parametrize(("language", "words"), HEADINGS.items())
def test_a_page_is_in_the_language_that_the_browser_asks_for(app: Flask, language: str, words: str) -> None:
    page = app.test_client().get("/login/", headers={**BROWSER_HEADERS, "Accept-Language": f"{language};q=0.9"})

    assert heading(page) == words
    assert root(page) == (language, "rtl" if language == "ar" else "ltr")
    assert page.headers["Content-Language"] == language


def test_a_link_in_the_footer_chooses_the_language_of_the_browser(app: Flask) -> None:
    browser = FormBrowser(app)
    page = browser.get("/login/?next=/account/")
    links = dict(re.findall(r'<a href="(\?[^"]*)" hreflang="(\w+)"', page.text))
    assert sorted(links.values()) == ["ar", "de", "en", "es", "fr"]
    assert 'lang="ar">العربية</a>' in page.text

    (german,) = [link.replace("&amp;", "&") for link, language in links.items() if language == "de"]
    chosen = browser.get(f"/login/{german}")

    assert german == "?next=%2Faccount%2F&lang=de"
    assert heading(chosen) == "Anmelden"
    assert re.search(r'hreflang="de" lang="de" aria-current="true"', chosen.text)
    assert heading(browser.get("/password_reset/")) == "Setzen Sie Ihr Passwort zurück"
    cookie = browser.cookie("language")
    assert (cookie.value, cookie.http_only, cookie.path) == ("de", True, "/")
    assert "SameSite=Lax" in chosen.headers["Set-Cookie"]


def test_the_cookie_is_secure_where_the_site_is_https(make_app: Callable[..., Flask]) -> None:
    chosen = make_app(SITE_URL="https://accounts.example.com").test_client().get("/login/?lang=de")

    (cookie,) = [cookie for cookie in chosen.headers.getlist("Set-Cookie") if cookie.startswith("language=")]
    assert re.fullmatch(r"language=de; .*Secure; HttpOnly; Path=/; SameSite=Lax", cookie)


def test_a_rejected_form_links_to_itself_in_other_languages(app: Flask) -> None:
    rejected = FormBrowser(app).send("/login/", {"email": "unknown@example.com", "password": PASSWORD})

    assert rejected.status_code == 401
    assert '<a href="?lang=de"' in rejected.text


def test_language_links_after_a_form_without_its_own_page_lead_to_the_front_page(app: Flask) -> None:
    make_user(app, email="wren@example.com")
    browser = FormBrowser(app)
    browser.sign_in("wren@example.com")

    rejected = browser.send("/account/email/", {"email": "invalid", "password": "x"}, form_on="/account/")

    assert rejected.status_code == 400
    assert '<a href="/?lang=de"' in rejected.text


def test_the_choice_is_kept_after_sign_out(app: Flask) -> None:
    make_user(app, email="wren@example.com")
    browser = FormBrowser(app)
    browser.sign_in("wren@example.com")
    browser.get("/account/?lang=de")

    response = browser.send("/logout/", form_on="/account/")
    browser.client.delete_cookie("language")

    assert response.headers["Location"] == "/logout/?lang=de"
    assert heading(browser.follow(response)) == "Abgemeldet"
    assert heading(browser.get("/login/")) == "Anmelden"


def test_signing_in_sets_the_language_of_a_browser_without_a_choice(app: Flask) -> None:
    make_user(app, email="wren@example.com", language="de")
    fresh, decided = FormBrowser(app), FormBrowser(app)
    decided.get("/login/?lang=es")

    fresh.sign_in("wren@example.com")
    decided.sign_in("wren@example.com")

    assert fresh.cookie("language").value == "de"
    assert heading(fresh.get("/account/")) == "Profil"
    assert heading(decided.get("/account/")) == "Perfil"


def test_an_unavailable_account_language_is_not_set_at_sign_in(make_app: Callable[..., Flask]) -> None:
    make_user(make_app(), email="wren@example.com", language="fr")
    browser = FormBrowser(make_app(LANGUAGES="en,de"))

    assert browser.sign_in("wren@example.com").status_code == 303

    assert browser.cookie("language") is None
    assert heading(browser.get("/account/")) == "Profile"


def test_the_language_of_emails_is_chosen_on_the_account_page(app: Flask) -> None:
    make_user(app, email="wren@example.com", first_name="Wren")
    browser = FormBrowser(app)
    browser.sign_in("wren@example.com")
    names = {"first_name": "Wren", "last_name": "Okafor", "username": ""}

    saved = browser.send("/account/", {**names, "language": "fr"})
    page = browser.follow(saved)

    assert browser.cookie("language").value == "fr"
    assert heading(page) == "Profil"
    assert re.search(r'<option value="fr" lang="fr" selected>Français</option>', page.text)
    rejected = browser.send("/account/", {**names, "language": "xx"})
    assert rejected.status_code == 400
    assert "Doit être l’un de" in rejected.text


@pytest.mark.parametrize(
    ("language", "day"),
    [("en", "{d} November 2026"), ("de", "{d}. November 2026"), ("fr", "{d} novembre 2026"),
     ("es", "{d} de noviembre de 2026"), ("ar", "{d} نوفمبر 2026")],
)  # fmt: skip
def test_dates_have_the_format_of_the_language(
    app: Flask, monkeypatch: pytest.MonkeyPatch, language: str, day: str
) -> None:
    moment = clock.now().replace(year=2026, month=11, day=24, hour=17, minute=45)
    monkeypatch.setattr(clock, "now", lambda: moment)
    make_user(app, email="wren@example.com", language=language)
    browser = FormBrowser(app)
    browser.sign_in("wren@example.com")

    page = browser.get("/account/devices/")

    assert root(page)[0] == language
    assert day.format(d=24) in page.text


def test_the_staff_site_is_in_the_language_too(app: Flask) -> None:
    make_user(app, email="boss@example.com", is_staff=True, is_superuser=True)
    browser = FormBrowser(app)
    browser.sign_in("boss@example.com")

    german, arabic = browser.get("/admin/?lang=de"), browser.get("/admin/users/?lang=ar")

    assert heading(german) == "Übersicht"
    menu = german.text.partition('<nav class="side"')[2].partition("<ul>")[2].partition("</ul>")[0]
    assert re.findall(r"<span>([^<]+)</span>", menu) == [
        "Übersicht", "Benutzer", "Einladungen", "Gruppen", "Dienstkonten", "Sitzungen", "E-Mails",
        "Importe", "Sammelaktionen", "Audit-Protokoll", "Webhooks", "Client-Anwendungen", "System",
    ]  # fmt: skip
    assert "Letzte 30 Tage" in german.text
    assert root(arabic) == ("ar", "rtl")
    assert "مستخدم واحد" in arabic.text
    assert "آخر 30 يومًا" in browser.get("/admin/?lang=ar").text
    rejected = browser.get("/admin/users/987654/")
    assert "لا يوجد مستخدم بهذا المعرّف." in rejected.text


def test_a_secret_in_the_url_is_not_in_the_page(app: Flask) -> None:
    wanted = new_user()
    app.test_client().post("/userapi/users/", json=wanted)
    token = emails_to(app, str(wanted["email"]))[0].token

    page = FormBrowser(app).get(f"/verify-email/{token}/?lang=de")

    assert page.status_code == 200
    assert '<html lang="de"' in page.text
    assert token not in page.text


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "ar"])
def test_each_title_is_suggested_once(app: Flask, language: str) -> None:
    make_user(app, email="wren@example.com")
    browser = FormBrowser(app)
    browser.sign_in("wren@example.com")

    page = browser.get(f"/account/?lang={language}").text
    titles = re.findall(
        r'<option value="([^"]*)"', page.partition('<datalist id="title-suggestions')[2].partition("</datalist>")[0]
    )

    assert len(titles) >= 3
    assert len(titles) == len(set(titles))
