"""Proving the identity again: by the API, and on the page that keeps the form that was submitted."""

import re
from html import unescape

from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.support.factories import PASSWORD
from tests.support.form_browser import BROWSER_HEADERS

PROVE = "/userapi/auth/prove/"


def shown_form(page: TestResponse) -> tuple[str, MultiDict[str, str]]:
    """Where the first form in the main part of a page goes, and its hidden inputs."""
    main = page.text[max(page.text.find("<main"), 0) :]
    action = re.search(r'<form method="post" action="([^"]*)"', main)
    assert action, page.text
    form = main[action.start() : main.find("</form>", action.end())]
    inputs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    return unescape(action[1]), MultiDict([(unescape(name), unescape(value)) for name, value in inputs])


def submit_shown_form(client: FlaskClient, page: TestResponse, **typed: str) -> TestResponse:
    """Submit the form on a page with what was typed."""
    action, fields = shown_form(page)
    for name, value in typed.items():
        fields.setlist(name, [value])
    return client.post(action, data=fields, headers=BROWSER_HEADERS)


def prove_and_continue(client: FlaskClient, page: TestResponse, password: str = PASSWORD) -> TestResponse:
    """Prove the identity on the page that asks for it, and submit the form that it kept."""
    assert (page.status_code, "Confirm that it is you" in page.text) == (403, True), page.text
    proved = submit_shown_form(client, page, password=password)
    assert "Identity confirmed" in proved.text, proved.text
    return submit_shown_form(client, proved)
