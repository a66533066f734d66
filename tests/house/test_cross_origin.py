"""Cross-origin requests: denied except for configured origins."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

NAMED = "https://app.example.com"
OTHER = "http://localhost:5173"

LOOKALIKES = (
    "null", "https://evil.example", "http://app.example.com", "https://app.example.com.evil.example",
    "https://evilapp.example.com", "https://appxexample.com", "https://app.example.com:8443",
    "https://app.example.com/",
    "https://app.example.com\\.evil.example", "https://app.example.com@evil.example", "https://sub.app.example.com",
    "https://app.example.com%0d%0aX: y", "file://", "*", "https://accounts.example.com", "",
)  # fmt: skip


def preflight(client: FlaskClient, origin: str, **headers: str) -> TestResponse:
    """The preflight request of a browser for a PATCH by a script."""
    requested = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    return client.options("/userapi/users/1/", headers=requested | headers)


def permissions(response: TestResponse) -> dict[str, str]:
    """The headers that allow cross-origin access."""
    return {name: value for name, value in response.headers if name.startswith("Access-Control-")}


@pytest.fixture
def open_client(make_app: Callable[..., Flask]) -> FlaskClient:
    """An anonymous client of a service with two allowed origins."""
    return make_app(CORS_ORIGINS=f"{NAMED},{OTHER}").test_client()


def test_H08_cross_origin_requests_are_denied_by_default(client: FlaskClient) -> None:
    for origin in (NAMED, OTHER, *LOOKALIKES):
        assert permissions(client.get("/userapi/", headers={"Origin": origin})) == {}
        assert permissions(preflight(client, origin)) == {}


def test_H08_a_configured_origin_can_read_responses_and_their_headers(open_client: FlaskClient) -> None:
    for origin in (NAMED, OTHER):
        for path, status in (("/userapi/", 200), ("/userapi/users/", 401), ("/userapi/nothing/", 404)):
            response = open_client.get(path, headers={"Origin": origin})

            allowed = permissions(response)
            assert response.status_code == status
            assert allowed["Access-Control-Allow-Origin"] == origin
            assert allowed["Access-Control-Allow-Credentials"] == "true"
            exposed = set(allowed["Access-Control-Expose-Headers"].split(", "))
            assert {"ETag", "Link", "Location", "X-Request-ID", "Retry-After"} <= exposed
            assert "Origin" in ", ".join(response.headers.getlist("Vary"))


def test_H08_a_configured_origin_can_send_all_headers_of_the_API(open_client: FlaskClient) -> None:
    response = preflight(open_client, NAMED, **{"Access-Control-Request-Headers": "authorization, if-match, x-evil"})

    allowed = permissions(response)
    assert response.status_code == 200
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(allowed["Access-Control-Allow-Methods"].split(", "))
    assert allowed["Access-Control-Allow-Headers"] == "authorization, if-match"


def test_H08_denies_lookalike_origins(open_client: FlaskClient) -> None:
    for origin in LOOKALIKES:
        for response in (open_client.get("/userapi/", headers={"Origin": origin}), preflight(open_client, origin)):
            assert permissions(response) == {}, origin


def test_H08_requests_without_an_origin_get_no_cross_origin_headers(open_client: FlaskClient) -> None:
    assert permissions(open_client.get("/userapi/")) == {}


def test_H08_a_single_configured_origin_sets_vary_too(make_app: Callable[..., Flask]) -> None:
    client = make_app(CORS_ORIGINS=NAMED).test_client()

    response = client.get("/userapi/", headers={"Origin": NAMED})

    assert permissions(response)["Access-Control-Allow-Origin"] == NAMED
    assert "Origin" in ", ".join(response.headers.getlist("Vary"))
    assert permissions(client.get("/userapi/", headers={"Origin": OTHER})) == {}


def test_H08_pages_deny_cross_origin_requests(open_client: FlaskClient) -> None:
    for path in ("/docs/", "/healthz", "/login/", "/admin/", "/static/vendor/swagger-ui/swagger-ui.css"):
        response = open_client.get(path, headers={"Origin": NAMED}, buffered=True)

        assert permissions(response) == {}, path
