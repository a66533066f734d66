"""The pages that change a password, and that reset a forgotten one with the link from the email."""

from datetime import datetime, timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD
from tests.support.form_browser import FormBrowser
from userapi.core import clock

NEW = "copper lantern 41 drift"


def path_of(link: str) -> str:
    """The path of a link, because the test client cannot open whole URLs."""
    return "/" + link.split("/", 3)[3]


def reset_link(app: Flask, user: ApiUser) -> str:
    """Request a reset; return the path of the link in the email."""
    assert FormBrowser(app).send("/password_reset/", {"email": user.email}).status_code == 303
    return path_of(emails_to(app, user.email, "reset_password")[-1].link)


def twice(password: str) -> dict[str, str]:
    return {"new_password1": password, "new_password2": password}


def test_P12_P14_a_change_keeps_this_session_and_ends_the_others(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    response = browser.send("/password_change/", {"old_password": PASSWORD, **twice(NEW)})

    assert response.headers["Location"] == "/password_change/done/"
    assert "Your password has been changed" in browser.follow(response).text
    assert browser.get("/account/").status_code == 200
    assert user.get("/userapi/auth/user/").status_code == 401
    assert FormBrowser(app).sign_in(user.email).status_code == 401
    assert FormBrowser(app).sign_in(user.email, NEW).status_code == 303


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"old_password": "wrong password 7", **twice(NEW)}, "This is not your current password."),
        (
            {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW + "x"},
            "The two passwords do not match.",
        ),
        ({"old_password": PASSWORD, **twice("12345678")}, "Contains only digits."),
        ({"old_password": "", **twice("")}, "This field is required."),
    ],
)
def test_P12_a_rejected_change_says_why_and_shows_no_password(
    app: Flask, user: ApiUser, fields: dict[str, str], message: str
) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    page = browser.send("/password_change/", fields)

    assert page.status_code == 400
    assert message in page.text
    assert not any(password and password in page.text for password in fields.values())
    assert FormBrowser(app).sign_in(user.email).status_code == 303


@pytest.mark.parametrize("path", ["/password_change/", "/account/"])
def test_A02_a_form_of_another_session_changes_nothing(
    app: Flask, user: ApiUser, other_user: ApiUser, path: str
) -> None:
    browser, attacker = FormBrowser(app), FormBrowser(app)
    browser.sign_in(user.email)
    attacker.sign_in(other_user.email)
    change = {"old_password": PASSWORD, **twice(NEW)} if path == "/password_change/" else {"first_name": "Mallory"}
    token = attacker.get("/logout/").text.partition('name="csrf_token" value="')[2].partition('"')[0]

    rejected = browser.post(path, {**change, "csrf_token": token})

    assert rejected.status_code == 403
    assert user.get("/userapi/auth/user/").get_json()["first_name"] == "Wren"
    assert browser.send(path, change).status_code == 303


def test_F01_requesting_a_link_gets_the_same_response_for_everyone(app: Flask, user: ApiUser) -> None:
    known = FormBrowser(app).send("/password_reset/", {"email": user.email})
    unknown = FormBrowser(app).send("/password_reset/", {"email": "unknown@example.com"})

    assert known.status_code == unknown.status_code == 303
    assert known.headers["Location"] == unknown.headers["Location"] == "/password_reset/done/"
    assert known.text == unknown.text
    assert [email.recipient for email in all_emails(app, "reset_password")] == [user.email]


def test_R18_F15_the_link_sets_a_password_ends_every_session_and_signs_no_one_in(app: Flask, user: ApiUser) -> None:
    signed_in, browser = FormBrowser(app), FormBrowser(app)
    signed_in.sign_in(user.email)
    link = reset_link(app, user)

    form = browser.get(link)
    response = browser.send(form.headers["Location"], twice(NEW))

    assert response.headers["Location"] == "/reset/done/"
    assert browser.cookie("access_token") is None
    assert user.get("/userapi/auth/user/").status_code == 401
    assert signed_in.get("/account/").status_code == 303
    assert FormBrowser(app).sign_in(user.email, NEW).status_code == 303


def test_F12_the_token_leaves_the_URL_before_the_form_is_shown(app: Flask, user: ApiUser) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    token = link.split("/")[3]

    opened = browser.get(link)
    form = browser.follow(opened)

    assert opened.headers["Location"] == f"/reset/{user.id}/set-password/"
    cookie = browser.cookie("reset_token", f"/reset/{user.id}/set-password/")
    assert cookie.value == token
    assert (cookie.http_only, cookie.same_site, cookie.max_age) == (True, "Lax", 3600)
    assert token not in form.text
    for response in (opened, form):
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"


def test_F12_a_used_token_is_removed_from_the_browser(app: Flask, user: ApiUser) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    form = browser.get(link).headers["Location"]

    browser.send(form, twice(NEW))

    assert browser.cookie("reset_token", form) is None


def test_F11_opening_the_link_does_not_use_it_up(app: Flask, user: ApiUser) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)

    for _ in range(3):
        scanner = FormBrowser(app)
        form = scanner.get(link).headers["Location"]
        scanner.get(form)
        assert scanner.client.head(link).status_code == 303
        assert scanner.client.head(form).status_code == 200

    assert FormBrowser(app).sign_in(user.email).status_code == 303
    assert browser.send(browser.get(link).headers["Location"], twice(NEW)).status_code == 303


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (twice("12345678"), "Contains only digits."),
        ({"new_password1": NEW, "new_password2": NEW + "x"}, "The two passwords do not match."),
    ],
)
def test_F13_the_link_stays_valid_after_a_rejected_password(
    app: Flask, user: ApiUser, fields: dict[str, str], message: str
) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    form = browser.get(link).headers["Location"]

    rejected = browser.send(form, fields)

    assert rejected.status_code == 400
    assert message in rejected.text
    assert browser.send(form, twice(NEW)).headers["Location"] == "/reset/done/"


def test_F05_a_used_link_is_explained(app: Flask, user: ApiUser) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    form = browser.get(link).headers["Location"]
    late = FormBrowser(app)
    late.get(link)
    late_form = late.get(form)
    assert late_form.status_code == 200
    browser.send(form, twice(NEW))

    opened = FormBrowser(app).get(link)
    sent = late.post(
        form,
        {
            **twice("another lantern 9 drift"),
            "csrf_token": late_form.text.split('csrf_token" value="')[1].split('"')[0],
        },
    )

    for response in (opened, sent):
        assert response.status_code == 400
        assert "This link is no longer valid" in response.text
        assert 'href="/password_reset/"' in response.text
    assert FormBrowser(app).sign_in(user.email, NEW).status_code == 303


@pytest.mark.parametrize("change", ["another user", "another token", "late", "no cookie"])
def test_F06_F08_an_altered_or_old_link_sets_no_password(
    app: Flask, user: ApiUser, other_user: ApiUser, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    if change == "another user":
        bad = link.replace(f"/{user.id}/", f"/{other_user.id}/")
    elif change == "another token":
        bad = f"/reset/{user.id}/{'A' * 43}/"
    elif change == "no cookie":
        bad = f"/reset/{user.id}/set-password/"
    else:
        bad = link

    assert browser.get(link).status_code == 303
    if change == "late":
        then: datetime = clock.now() + timedelta(hours=1, seconds=1)
        monkeypatch.setattr(clock, "now", lambda: then)
    rejected = FormBrowser(app).get(bad)

    assert rejected.status_code == 400
    assert "This link is no longer valid" in rejected.text
    assert rejected.headers["Referrer-Policy"] == "no-referrer"


def test_H15_a_reset_form_without_a_csrf_token_sets_no_password(app: Flask, user: ApiUser) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    form = browser.get(link).headers["Location"]
    browser.get(form)

    rejected = browser.post(form, twice(NEW))

    assert rejected.status_code == 403
    assert FormBrowser(app).sign_in(user.email).status_code == 303
    assert browser.send(form, twice(NEW)).status_code == 303
