"""Changing a password by the page, and resetting a forgotten one with the link from the letter."""

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
    """A link's path: the test client is no mail program."""
    return "/" + link.split("/", 3)[3]


def reset_link(app: Flask, user: ApiUser) -> str:
    """The path of a reset link that was just mailed."""
    assert FormBrowser(app).send("/password_reset/", {"email": user.email}).status_code == 303
    return path_of(emails_to(app, user.email, "reset_password")[-1].link)


def twice(password: str) -> dict[str, str]:
    return {"new_password1": password, "new_password2": password}


def test_P12_P14_a_change_keeps_this_session_and_ends_the_others(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    answer = browser.send("/password_change/", {"old_password": PASSWORD, **twice(NEW)})

    assert answer.headers["Location"] == "/password_change/done/"
    assert "Your password has been changed" in browser.follow(answer).text
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
def test_P12_a_refused_change_says_why_and_repeats_no_password(
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

    refused = browser.post(path, {**change, "csrf_token": token})

    assert refused.status_code == 403
    assert user.get("/userapi/auth/user/").get_json()["first_name"] == "Wren"
    assert browser.send(path, change).status_code == 303


def test_F01_asking_for_a_link_answers_the_same_for_everyone(app: Flask, user: ApiUser) -> None:
    known = FormBrowser(app).send("/password_reset/", {"email": user.email})
    unknown = FormBrowser(app).send("/password_reset/", {"email": "nobody@example.com"})

    assert known.status_code == unknown.status_code == 303
    assert known.headers["Location"] == unknown.headers["Location"] == "/password_reset/done/"
    assert known.text == unknown.text
    assert [letter.recipient for letter in all_emails(app, "reset_password")] == [user.email]


def test_R18_F15_the_link_sets_a_password_ends_every_session_and_signs_nobody_in(app: Flask, user: ApiUser) -> None:
    signed_in, browser = FormBrowser(app), FormBrowser(app)
    signed_in.sign_in(user.email)
    link = reset_link(app, user)

    form = browser.get(link)
    answer = browser.send(form.headers["Location"], twice(NEW))

    assert answer.headers["Location"] == "/reset/done/"
    assert browser.cookie("access_token") is None
    assert user.get("/userapi/auth/user/").status_code == 401
    assert signed_in.get("/account/").status_code == 303
    assert FormBrowser(app).sign_in(user.email, NEW).status_code == 303


def test_F12_the_token_leaves_the_address_before_the_form_shows(app: Flask, user: ApiUser) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    token = link.split("/")[3]

    opened = browser.get(link)
    form = browser.follow(opened)

    assert opened.headers["Location"] == f"/reset/{user.id}/set-password/"
    cookie = browser.cookie("reset_token", f"/reset/{user.id}/set-password/")
    assert cookie.value == token
    assert (cookie.http_only, cookie.same_site, cookie.max_age) == (True, "Lax", 3600)
    assert token not in form.text
    for answer in (opened, form):
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"


def test_F12_a_used_token_leaves_the_browser(app: Flask, user: ApiUser) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    form = browser.get(link).headers["Location"]

    browser.send(form, twice(NEW))

    assert browser.cookie("reset_token", form) is None


def test_F11_looking_at_the_link_spends_nothing(app: Flask, user: ApiUser) -> None:
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
def test_F13_a_refused_password_leaves_the_link_good(
    app: Flask, user: ApiUser, fields: dict[str, str], message: str
) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    form = browser.get(link).headers["Location"]

    refused = browser.send(form, fields)

    assert refused.status_code == 400
    assert message in refused.text
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

    for answer in (opened, sent):
        assert answer.status_code == 400
        assert "This link is no longer valid" in answer.text
        assert 'href="/password_reset/"' in answer.text
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
    refused = FormBrowser(app).get(bad)

    assert refused.status_code == 400
    assert "This link is no longer valid" in refused.text
    assert refused.headers["Referrer-Policy"] == "no-referrer"


def test_H15_a_reset_form_without_our_token_sets_no_password(app: Flask, user: ApiUser) -> None:
    browser, link = FormBrowser(app), reset_link(app, user)
    form = browser.get(link).headers["Location"]
    browser.get(form)

    refused = browser.post(form, twice(NEW))

    assert refused.status_code == 403
    assert FormBrowser(app).sign_in(user.email).status_code == 303
    assert browser.send(form, twice(NEW)).status_code == 303
