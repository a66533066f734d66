"""Opening the URL of a form, as the browser shows it after an error, leads to the page that has the form."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser
from tests.support.staff_client import staff_client

#: Paths for scripts, which have no form.
NO_FORMS = ("/password-strength/",)

EXAMPLES = {"uuid": "0b9a5d0e-6c0f-4c53-9f53-9d8f1c5f4a10", "token": "made-up", "uid": "1"}


def paths_without_a_page(app: Flask) -> Iterator[str]:
    """The path of every form that another page shows."""
    for rule in app.url_map.iter_rules():
        is_page = rule.endpoint.startswith(("pages.", "staff_", "admin."))
        path = re.sub(r"<(?:uuid:)[^>]+>", EXAMPLES["uuid"], rule.rule)
        path = re.sub(r"<[^>]+>", "1", path)
        adapter = app.url_map.bind("")
        if is_page and "POST" in rule.methods and not adapter.test(path, method="GET") and path not in NO_FORMS:
            yield path


@pytest.fixture
def owner(app: Flask, user: ApiUser) -> FormBrowser:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    return browser


def test_reloading_after_a_rejected_email_change_shows_the_page_of_the_form(owner: FormBrowser) -> None:
    fields = {"email": "invalid", "password": PASSWORD}
    rejected = owner.send("/account/security/email/", fields, form_on="/account/security/")

    reloaded = owner.get("/account/security/email/?lang=de")

    assert rejected.status_code == 400
    assert (reloaded.status_code, reloaded.headers["Location"]) == (303, "/account/security/?lang=de")
    assert owner.follow(reloaded).status_code == 200


def test_the_path_of_every_form_leads_to_a_page(app: Flask) -> None:
    client = staff_client(app, is_staff=True, is_superuser=True).client
    paths = list(paths_without_a_page(app))
    assert "/account/security/email/" in paths
    assert "/admin/users/act/" in paths
    assert "/admin/invitations/1/revoke/" in paths

    for path in paths:
        response = client.get(path, headers=BROWSER_HEADERS)
        assert response.status_code == 303, path
        page = response.headers["Location"]
        assert page != "/", path
        assert path.startswith(page), path
        shown = client.get(page, headers=BROWSER_HEADERS).status_code
        assert shown in (200, 303, 404) or (page, shown) == ("/link/1/", 400), page  # no ticket, so it has expired


def test_programs_and_other_methods_get_405(owner: FormBrowser) -> None:
    as_program = owner.client.get("/account/security/email/", headers={"Accept": "application/json"})
    other_method = owner.client.delete("/account/security/email/", headers=BROWSER_HEADERS)
    without_a_page = owner.get("/password-strength/")

    for response in (as_program, other_method, without_a_page):
        assert response.status_code == 405
        assert "POST" in response.headers["Allow"]
