"""Headers of every response, whatever its status."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import new_user


@pytest.fixture
def responses(client: FlaskClient, user: ApiUser, staff: ApiUser) -> dict[str, TestResponse]:
    """One response of every kind."""
    tag = user.get(user.url).headers["ETag"]
    goner = client.post("/userapi/users/", json=new_user()).get_json()["id"]
    return {
        "200": user.get(user.url),
        "list": staff.get("/userapi/users/"),
        "token": client.post("/api-token-auth/", json={"email": user.email, "password": user.password}),
        "sessions": user.get("/userapi/auth/sessions/"),
        "201": client.post("/userapi/users/", json=new_user()),
        "204": staff.delete(f"/userapi/users/{goner}/"),
        "304": user.get(user.url, headers={"If-None-Match": tag}),
        "400": client.post("/userapi/users/", json={}),
        "401": client.get(user.url),
        "403": user.get("/userapi/users/"),
        "404": client.get("/userapi/nothing/"),
        "405": client.delete("/userapi/users/"),
        "413": client.post("/userapi/users/", data=b" " * 1_100_000, content_type="application/json"),
        "415": client.post("/userapi/users/", data=b"x", content_type="text/plain"),
        "HEAD": user.open(user.url, method="HEAD"),
        "OPTIONS": client.options("/userapi/users/"),
        "page": client.get("/docs/try/"),
        "document": client.get("/openapi.json"),
        "keys": client.get("/.well-known/jwks.json"),
        "health": client.get("/healthz"),
        "readiness": client.get("/readyz"),
        "static": client.get("/static/vendor/swagger-ui/swagger-ui.css", buffered=True),
        "static 404": client.get("/static/nothing.css"),
    }


def test_H01_browsers_do_not_guess_content_types(responses: dict[str, TestResponse]) -> None:
    for kind, response in responses.items():
        assert response.headers.getlist("X-Content-Type-Options") == ["nosniff"], kind


def test_H03_no_response_can_be_framed(responses: dict[str, TestResponse]) -> None:
    for kind, response in responses.items():
        assert response.headers["X-Frame-Options"] == "DENY", kind
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"], kind


def test_H04_no_referrer_is_sent_to_other_sites(responses: dict[str, TestResponse]) -> None:
    for kind, response in responses.items():
        assert response.headers["Referrer-Policy"] in ("same-origin", "no-referrer"), kind


def test_H05_no_personal_response_is_cached(responses: dict[str, TestResponse]) -> None:
    for kind in responses.keys() - {"keys", "static"}:
        assert responses[kind].headers["Cache-Control"] == "no-store", kind
    assert "max-age" in responses["keys"].headers["Cache-Control"]


def test_H19_documents_are_isolated_from_other_origins(responses: dict[str, TestResponse]) -> None:
    for kind, response in responses.items():
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin", kind
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin", kind


def test_H10_no_response_names_the_software(responses: dict[str, TestResponse]) -> None:
    for kind, response in responses.items():
        for name in ("Server", "X-Powered-By", "Via"):
            assert name not in response.headers, kind


def test_H02_every_page_has_a_policy_with_a_new_nonce(client: FlaskClient) -> None:
    first, second = (client.get("/docs/") for _ in range(2))

    policy = first.headers["Content-Security-Policy"]
    for directive in ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert directive in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    (nonce,) = re.findall(r"script-src 'nonce-([\w-]{20,})'", policy)
    assert first.text.count(f'nonce="{nonce}"') == first.text.count("<script")
    assert nonce not in second.text


TYPES = {
    "200": "application/json", "list": "application/json", "token": "application/json", "201": "application/json",
    "400": "application/problem+json", "401": "application/problem+json", "403": "application/problem+json",
    "404": "application/problem+json", "405": "application/problem+json", "413": "application/problem+json",
    "415": "application/problem+json", "page": "text/html; charset=utf-8", "document": "application/json",
    "keys": "application/json", "health": "application/json", "static": "text/css; charset=utf-8",
}  # fmt: skip


def test_H17_content_types_are_exact(responses: dict[str, TestResponse]) -> None:
    for kind, media in TYPES.items():
        assert responses[kind].headers["Content-Type"] == media, kind
    assert "Content-Type" not in responses["204"].headers


ACCEPTED = (
    "*/*",
    "application/json",
    "application/problem+json",
    "application/json, text/html",
    "text/html;q=0.8, */*",
    "",
)


def test_H16_an_API_error_is_JSON_unless_the_client_prefers_a_page(client: FlaskClient) -> None:
    for path in ("/userapi/nothing/", "/userapi", "/userapi/users/1/", "/api-token-auth/", "/userapi/users/x"):
        for accept in ACCEPTED:
            response = client.delete(path, headers={"Accept": accept})

            assert response.status_code in (401, 404, 405), (path, accept)
            assert response.mimetype == "application/problem+json", (path, accept)


SECRET_PLACES = (
    "/console", "/?__debugger__=yes&cmd=resource&f=style.css", "/userapi/?__debugger__=yes&cmd=printpin", "/debug",
    "/debug/default/view", "/.git/config", "/.env", "/.well-known/../.env", "/server-status",
    "/static/../config.py",
    "/static/%2e%2e/config.py", "/static/..%2fconfig.py", "/static/../../instance/userapi.db",
    "/static//etc/passwd",
    "/static/", "/wsgi.py", "/instance/userapi.db", "/actuator/env", "/phpinfo.php", "/metrics/../healthz",
)  # fmt: skip


def test_H11_no_debug_page_is_served(client: FlaskClient) -> None:
    for path in SECRET_PLACES:
        response = client.get(path)

        assert response.status_code == 404 or path.startswith(("/?", "/userapi/?")), path
        text = response.text.replace("__debugger__", "")  # links to other languages keep the query
        for word in ("SECRET_KEY", "Traceback", "Werkzeug", "debugger", "root:", "SQLite format"):
            assert word not in text, path


def test_H07_strict_transport_security_is_set_where_the_site_is_https_only(
    make_app: Callable[..., Flask], client: FlaskClient
) -> None:
    secure = make_app(SITE_URL="https://accounts.example.com").test_client().get("/userapi/")

    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert "Strict-Transport-Security" not in client.get("/userapi/").headers
