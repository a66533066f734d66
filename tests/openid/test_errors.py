"""Errors below `/oauth/`: programs get them in the shape of OAuth, browsers get pages."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.form_browser import BROWSER_HEADERS, FormBrowser
from tests.support.relying_party import RelyingParty, answer_of, make_client

TOKEN = "/oauth/token/"
FORM = {"grant_type": "refresh_token", "refresh_token": "unknown"}


def fail_too_often(client: RelyingParty) -> TestResponse:
    client.app.config["RATELIMIT_ENABLED"] = True
    wrong = RelyingParty(client.app, client.client_id, "wrong")
    return [wrong.refresh("unknown") for _attempt in range(21)][-1]


Attempt = Callable[[RelyingParty], TestResponse]

#: What fails, by name, with status and error.
ATTEMPTS: dict[str, tuple[int, str, Attempt]] = {
    "no path": (404, "invalid_request", lambda client: client.app.test_client().get("/oauth/nothing/")),
    "no path below an endpoint": (404, "invalid_request", lambda client: client.post(f"{TOKEN}nothing/", FORM)),
    "wrong method": (405, "invalid_request", lambda client: client.app.test_client().get(TOKEN)),
    "wrong method at a page": (405, "invalid_request", lambda client: client.app.test_client().put("/oauth/logout/")),
    "wrong method at discovery": (
        405,
        "invalid_request",
        lambda client: client.app.test_client().post("/.well-known/openid-configuration"),
    ),
    "media type": (415, "invalid_request", lambda client: client.app.test_client().post(TOKEN, json=FORM)),
    "too large": (413, "invalid_request", lambda client: client.refresh("x" * 1_100_000)),
    "query": (400, "invalid_request", lambda client: client.app.test_client().get("/oauth/authorize/?state=%E9")),
    "too often": (429, "temporarily_unavailable", fail_too_often),
}


@pytest.mark.parametrize("kind", ATTEMPTS)
def test_Q53_programs_get_every_error_in_the_shape_of_oauth(kind: str, app: Flask) -> None:
    status, error, attempt = ATTEMPTS[kind]

    response = attempt(make_client(app))

    assert_shape(response, status, error)
    assert ("Allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    ("raised", "status", "error"),
    [
        (ValueError("password=hunter2"), 500, "server_error"),
        (sa.exc.OperationalError("SELECT hunter2", {}, Exception("gone")), 503, "temporarily_unavailable"),
    ],
    ids=["unexpected", "no database"],
)
def test_Q53_errors_of_the_server_have_the_shape_of_oauth_too(
    raised: Exception, status: int, error: str, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise raised

    monkeypatch.setitem(app.view_functions, "openid.issue_tokens", fail)

    assert_shape(app.test_client().post(TOKEN, data=FORM), status, error)


def assert_shape(response: TestResponse, status: int, error: str) -> None:
    """Check that a response is an error as OAuth has them (RFC 6749, section 5.2)."""
    assert (response.status_code, response.mimetype) == (status, "application/json")
    assert response.get_json()["error"] == error
    assert response.get_json().keys() <= {"error", "error_description"}
    assert response.headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in response.headers) == (status in (429, 503))
    assert "hunter2" not in response.text


@pytest.mark.parametrize("accept", [BROWSER_HEADERS["Accept"], "application/xml"])
def test_Q53_an_endpoint_for_programs_never_responds_with_a_page(accept: str, app: Flask) -> None:
    for response in (
        app.test_client().get(TOKEN, headers={"Accept": accept}),
        app.test_client().post(TOKEN, data=FORM, headers={"Accept": accept}),
        app.test_client().get("/oauth/userinfo/", headers={"Accept": accept}),
    ):
        assert "error" in response.get_json()


def test_browsers_get_pages_for_errors_below_oauth(app: Flask) -> None:
    browser = FormBrowser(app)

    responses = [browser.get("/oauth/nothing/"), browser.get("/oauth/authorize/?client_id=unknown")]

    assert [(each.status_code, each.mimetype) for each in responses] == [(404, "text/html"), (400, "text/html")]


def test_other_paths_have_problem_documents(app: Flask) -> None:
    for path in ("/nothing/", "/userapi/nothing/", "/.well-known/nothing"):
        assert app.test_client().get(path).mimetype == "application/problem+json", path


def test_requests_that_are_stored_for_anyone_are_limited_by_ip_address(
    make_app: Callable[..., Flask], email: str
) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_AUTHORIZATION="2 per hour")
    handbook, native = make_client(app), make_client(app, name="App", kind="native")
    signed_in = FormBrowser(app)
    signed_in.sign_in(email)
    handbook.authorize(signed_in)  # the first that waits

    assert native.push().status_code == 201
    visitor = FormBrowser(app)
    assert (visitor.get(handbook.request()).status_code, native.push().status_code) == (429, 429)
    assert handbook.push().status_code == 201
    assert "code" in answer_of(signed_in.get(handbook.request()))
    assert answer_of(visitor.get(handbook.request(prompt="none")))["error"] == "login_required"
    elsewhere = {"REMOTE_ADDR": "203.0.113.7"}
    assert visitor.get(handbook.request(), environ_overrides=elsewhere).status_code == 303
