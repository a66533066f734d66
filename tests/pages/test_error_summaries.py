"""The summary above a rejected form names each field as its label does."""

import re
from html import unescape

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import make_user
from tests.support.form_browser import FormBrowser
from tests.support.staff_client import StaffClient, staff_client


def summary_and_labels(page: TestResponse) -> tuple[dict[str, str], dict[str, str]]:
    """What a page calls the inputs with errors: in the summary, and in their labels."""
    assert page.status_code >= 400, page.text
    main = page.text.partition("<main")[2]
    summary = dict(re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>: ', main))
    labels = dict(re.findall(r'<label for="([^"]+)">([^<]+?)\s*<', main))
    assert summary, main
    return {id: unescape(text) for id, text in summary.items()}, {id: unescape(labels[id]) for id in summary}


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


@pytest.mark.parametrize(
    ("path", "form_on", "wrong"),
    [
        ("/account/", "/account/", {"username": "x" * 99}),
        ("/account/security/email/", "/account/security/", {"email": "invalid", "password": ""}),
        ("/password_change/", "/password_change/", {"old_password": "", "new_password1": "1", "new_password2": ""}),
    ],
)
def test_summaries_of_the_account_use_the_labels(
    app: Flask, user: ApiUser, path: str, form_on: str, wrong: dict[str, str]
) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    summary, labels = summary_and_labels(browser.send(path, wrong, form_on=form_on))

    assert summary == labels


@pytest.mark.parametrize("path", ["/register/", "/password_reset/", "/verify-email/"])
def test_summaries_of_open_pages_use_the_labels(app: Flask, path: str) -> None:
    wrong = {"email": "invalid"} | ({"password": "1"} if path == "/register/" else {})

    summary, labels = summary_and_labels(FormBrowser(app).send(path, wrong))

    assert summary == labels


@pytest.mark.parametrize(
    "path",
    ["users/new/", "users/{own}/password/", "users/{other}/password/", "users/{own}/", "emails/test/", "groups/new/"],
)
def test_summaries_of_the_staff_site_use_the_labels(superuser: StaffClient, path: str) -> None:
    path = f"/admin/{path.format(own=superuser.id, other=make_user(superuser.app))}"
    form = superuser.form(path)
    wrong = {"email": "invalid", "access": "password", "password1": "1", "password2": "2", "name": "", "first_name": ""}

    summary, labels = summary_and_labels(superuser.post(path, **{**form, **wrong}))

    assert summary == labels


def test_the_summary_of_a_group_uses_the_label(superuser: StaffClient) -> None:
    superuser.post("/admin/groups/new/", name="Readers")
    (group,) = re.findall(r'href="(/admin/groups/\d+/)">Readers', superuser.get("/admin/groups/").text)

    page = superuser.post(f"{group}members/", email="unknown@example.com")

    summary, labels = summary_and_labels(page)

    assert summary == labels == {"email": "Email of the new member"}
