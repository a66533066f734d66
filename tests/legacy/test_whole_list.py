"""The list of users as an array, for clients that know no pages."""

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import sign_in
from tests.support.factories import make_account
from tests.support.import_files import as_jsonl, import_command
from tests.support.legacy_clients import USERS, with_token
from tests.support.statement_counter import record_statements

pytestmark = pytest.mark.both


@pytest.fixture
def staff_headers(legacy_app: Flask) -> dict[str, str]:
    return with_token(sign_in(legacy_app, make_account(legacy_app, is_staff=True))["token"])


def test_the_list_of_users_is_an_array(
    legacy_app: Flask, old_client: FlaskClient, staff_headers: dict[str, str]
) -> None:
    email = make_account(legacy_app)

    with record_statements(legacy_app) as seen:
        response = old_client.get(USERS, headers=staff_headers)

    assert (response.status_code, "Link" in response.headers) == (200, False)
    assert [each["email"] for each in response.get_json()][1:] == [email]
    assert len(seen) == 2, seen
    assert len(old_client.get(f"{USERS}?search={email}", headers=staff_headers).get_json()) == 1


def test_a_link_leads_to_the_users_after_the_first_thousand(
    legacy_app: Flask, old_client: FlaskClient, staff_headers: dict[str, str], tmp_path: Path
) -> None:
    emails = [f"user{number}@example.com" for number in range(1002)]
    import_command(legacy_app, tmp_path)(as_jsonl(*({"email": email} for email in emails)))

    first = old_client.get(USERS, headers=staff_headers)
    url = first.headers["Link"].partition(">")[0].removeprefix("<http://accounts.example.com")
    second = old_client.get(url, headers=staff_headers)

    listed = [user["email"] for page in (first, second) for user in page.get_json()]
    assert (len(first.get_json()), listed[1:]) == (1000, emails)


def test_a_limit_and_a_browser_get_pages(
    legacy_app: Flask, old_client: FlaskClient, staff_headers: dict[str, str]
) -> None:
    paged = old_client.get(f"{USERS}?limit=1", headers=staff_headers)
    page = old_client.get(USERS, headers={**staff_headers, "Accept": "text/html"})

    assert set(paged.get_json()) == {"next", "previous", "results"}
    assert (page.status_code, page.mimetype, "results" in page.text) == (200, "text/html", True)


def test_only_staff_get_it(legacy_app: Flask, old_client: FlaskClient) -> None:
    headers = with_token(sign_in(legacy_app, make_account(legacy_app))["token"])

    assert [old_client.get(USERS, headers=sent).status_code for sent in ({}, headers)] == [401, 403]
