"""The Accept header decides between a page and data; the rest of the response is the same."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import new_user
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser

CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)

#: The bearer token for `/metrics`.
TOKEN = "kV3x9QmZt7Rw2LpY8sUe5HbN4cJ6aG1d"

#: Accept headers, and whether the response is a page.
ACCEPTED = {
    BROWSER_HEADERS["Accept"]: True,
    CHROMIUM: True,
    "text/html": True,
    "text/html;q=0.9, application/json;q=0.5": True,
    "text/*": True,
    "*/*": False,
    "": False,
    "application/json": False,
    "application/problem+json": False,
    "application/json, text/html": False,
    "text/html, application/json": False,
    "application/json, text/html;q=0.9, */*;q=0.1": False,
    "application/json;q=0.9, text/plain": False,
    "text/html;q=0, */*": False,
    "application/json; charset=utf-8": False,
    "application/json;indent=4": False,
    "application/json;q=0.9;version=1": False,
    "APPLICATION/JSON; Charset=UTF-8": False,
    "application/problem+json; charset=utf-8": False,
    "application/json;v=1;q=0, application/json": False,
    "text/html;level=1": True,
    "text/html; charset=utf-8, application/json;indent=2;q=0.5": True,
}


@pytest.mark.parametrize("accept", ACCEPTED)
def test_the_accept_header_decides_between_page_and_data(user: ApiUser, accept: str) -> None:
    responses = [
        user.get(user.url, headers={"Accept": accept}),
        user.get("/userapi/users/", headers={"Accept": accept}),
        user.get("/api-token-auth/", headers={"Accept": accept}),
        user.post("/api-token-auth/", json={}, headers={"Accept": accept}),
    ]

    assert [response.status_code for response in responses] == [200, 403, 405, 400]
    for response in responses:
        assert (response.mimetype == "text/html") is ACCEPTED[accept]
        assert "Accept" in ", ".join(response.headers.getlist("Vary"))


def test_a_request_without_an_accept_header_gets_data(user: ApiUser) -> None:
    assert user.get(user.url).mimetype == "application/json"


def test_format_json_in_the_URL_gives_data_to_a_browser(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)
    assert browser.get(user.url).mimetype == "text/html"

    data = browser.get(f"{user.url}?format=json")
    error = browser.get("/userapi/users/?format=json")

    assert (data.status_code, data.get_json()["email"]) == (200, user.email)
    assert (error.status_code, error.mimetype) == (403, "application/problem+json")


def test_with_BROWSABLE_API_false_a_browser_gets_what_programs_get(
    make_app: Callable[..., Flask], client: FlaskClient
) -> None:
    without = make_app(BROWSABLE_API="false").test_client()
    assert client.get("/userapi/", headers=BROWSER_HEADERS).mimetype == "text/html"

    assert without.get("/userapi/", headers=BROWSER_HEADERS).mimetype == "application/json"
    assert without.get("/userapi/users/", headers=BROWSER_HEADERS).mimetype == "application/problem+json"
    assert without.get("/login/", headers=BROWSER_HEADERS).mimetype == "text/html"


def test_the_data_is_identical_with_and_without_the_pages(make_app: Callable[..., Flask], user: ApiUser) -> None:
    without = make_app(BROWSABLE_API="false").test_client()

    for path in (user.url, "/userapi/", "/userapi/users/", "/.well-known/jwks.json", "/api-token-auth/"):
        here, there = user.get(path), without.get(path, headers=user.headers)
        same = ("ETag", "Content-Type", "Content-Length", "Cache-Control", "Allow", "WWW-Authenticate")
        assert (here.status_code, here.data) == (there.status_code, there.data)
        assert [here.headers.get(name) for name in same] == [there.headers.get(name) for name in same]


def test_headers_of_a_page_are_not_sent_with_the_data(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    me, index = browser.get(user.url), browser.get("/userapi/")

    for page in (me, index):
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert int(page.headers["Content-Length"]) == len(page.data)
        assert "ETag" not in page.headers
    assert user.get(user.url).headers["ETag"].strip('"') in me.text


def test_the_etag_of_the_data_does_not_apply_to_the_page(app: Flask, user: ApiUser) -> None:
    tag = user.get(user.url).headers["ETag"]
    assert user.get(user.url, headers={"If-None-Match": tag}).status_code == 304

    for condition in (tag, "*"):
        page = user.get(user.url, headers={**BROWSER_HEADERS, "If-None-Match": condition})

        assert page.status_code == 200
        assert page.mimetype == "text/html"
        assert user.email in page.text


def test_HEAD_is_the_page_without_its_body(user: ApiUser) -> None:
    get, head = (user.open(user.url, method=method, headers=BROWSER_HEADERS) for method in ("GET", "HEAD"))

    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert int(head.headers["Content-Length"]) == len(get.data)


def test_OPTIONS_is_a_page_for_browsers_and_empty_for_programs(user: ApiUser) -> None:
    page = user.open(user.url, method="OPTIONS", headers=BROWSER_HEADERS)
    empty = user.open(user.url, method="OPTIONS")

    assert (page.status_code, empty.status_code) == (200, 200)
    assert page.headers["Allow"] == empty.headers["Allow"]
    assert "DELETE" in page.text
    assert empty.data == b""


def test_204_stays_204(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    goner = user.client.post("/userapi/users/", json=new_user()).get_json()["id"]

    response = staff.delete(f"/userapi/users/{goner}/", headers=BROWSER_HEADERS)

    assert response.status_code == 204
    assert response.data == b""


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_paths_outside_the_API_always_return_data(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers=BROWSER_HEADERS)

    assert response.mimetype == "application/json"


def test_a_script_of_another_origin_gets_data_without_a_csrf_token(app: Flask, user: ApiUser) -> None:
    browser = FormBrowser(app)
    browser.sign_in(user.email)

    def fetch(site: str) -> str:
        headers = {"Accept": "text/html", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": site}
        return str(browser.client.get(user.url, headers=headers).text)

    assert 'name="csrf_token"' in fetch("same-origin")
    for site in ("same-site", "cross-site", ""):
        assert fetch(site).startswith('{"url":')


def test_a_blank_filter_redirects_to_a_path_of_this_service(client: FlaskClient) -> None:
    page = client.get("/userapi/?x=&y=%0d%0aX:1", headers=BROWSER_HEADERS)
    data = client.get("/userapi/?x=&y=%0d%0aX:1")

    assert (page.status_code, data.status_code) == (303, 200)
    assert page.headers["Location"] == "/userapi/?y=%0D%0AX%3A1"


def test_vary_names_every_header_that_changes_the_response(make_app: Callable[..., Flask]) -> None:
    client = make_app(CORS_ORIGINS="https://one.example.com,https://two.example.com").test_client()

    for headers in ({}, BROWSER_HEADERS):
        rejected = client.get("/userapi/users/", headers={**headers, "Origin": "https://one.example.com"})
        named = {name for line in rejected.headers.getlist("Vary") for name in line.split(", ")}

        assert rejected.headers["Access-Control-Allow-Origin"] == "https://one.example.com"
        assert named == {"Accept", "Accept-Language", "Cookie", "Origin"}


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/.well-known/jwks.json", "application/jwk-set+json"),
        ("/openapi.json", "application/vnd.oai.openapi+json;version=3.1"),
        ("/healthz", "application/health+json"),
        ("/readyz", "application/health+json"),
        ("/metrics", "application/openmetrics-text;version=1.0.0"),
    ],
)
def test_paths_for_programs_are_never_pages(make_app: Callable[..., Flask], path: str, media_type: str) -> None:
    client = make_app(METRICS_TOKEN=TOKEN).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
    plain = client.get(path)
    for accept in (
        media_type,
        CHROMIUM,
        BROWSER_HEADERS["Accept"],
        "text/html",
        "text/plain",
        "image/png",
        "application/json;q=0",
        "",
    ):
        response = client.get(path, headers={"Accept": accept})
        rejected = client.post(path, headers={"Accept": accept})
        missing = client.get(path + "x/y", headers={"Accept": accept})

        assert response.status_code == 200, accept
        assert response.mimetype in (plain.mimetype, media_type), accept
        assert (rejected.status_code, rejected.mimetype) == (405, "application/problem+json"), accept
        assert (missing.status_code, missing.mimetype) == (404, "application/problem+json"), accept


def test_the_key_set_has_its_own_media_type_if_the_request_accepts_it(client: FlaskClient) -> None:
    path = "/.well-known/jwks.json"
    named = client.get(path, headers={"Accept": "application/jwk-set+json, application/json;q=0.5"})

    assert named.mimetype == "application/jwk-set+json"
    assert client.get(path).mimetype == "application/json"
    assert client.get(path, headers={"Accept": "application/json"}).mimetype == "application/json"
    assert client.get(path, headers={"Accept": "*/*"}).data == named.data
