"""OPTIONS, HEAD and methods that a path does not allow."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser

ADDRESSES = {
    "/userapi/": {"GET"},
    "/userapi/users/": {"GET", "POST"},
    "/userapi/users/1/": {"GET", "PUT", "PATCH", "DELETE"},
    "/userapi/auth/user/": {"GET", "PUT", "PATCH"},
    "/userapi/auth/sessions/": {"GET", "DELETE"},
    "/api-token-auth/": {"POST"},
    "/userapi/api-token-verify/": {"POST"},
}


def allowed(value: str) -> set[str]:
    """The methods in an `Allow` header except HEAD and OPTIONS."""
    return set(re.split(r",\s*", value)) - {"HEAD", "OPTIONS"}


@pytest.mark.parametrize("path", ADDRESSES)
def test_OPTIONS_returns_200_with_the_methods(client: FlaskClient, path: str) -> None:
    response = client.options(path)

    assert response.status_code == 200
    assert allowed(response.headers["Allow"]) == ADDRESSES[path]


@pytest.mark.parametrize("path", ADDRESSES)
def test_another_method_is_405_with_the_methods(client: FlaskClient, path: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - ADDRESSES[path]:
        response = client.open(path, method=method)

        assert response.status_code == 405
        assert allowed(response.headers["Allow"]) == ADDRESSES[path]
        assert response.get_json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "PROPFIND", "DEBUG", "get", "GETT", "SEARCH", "QUERY"])
def test_H12_unknown_methods_are_rejected_and_not_echoed(user: ApiUser, method: str) -> None:
    response = user.open(user.url, method=method, headers={"X-Echo": "echo-me"})

    assert response.status_code == 405 or method == "get"
    assert "echo-me" not in response.text
    assert "echo-me" not in str(response.headers)


@pytest.mark.parametrize("path", ["/userapi/", "/userapi/auth/user/", "/userapi/auth/sessions/"])
def test_HEAD_is_GET_without_the_body(user: ApiUser, path: str) -> None:
    get, head = user.get(path), user.open(path, method="HEAD")

    assert head.status_code == get.status_code == 200
    assert head.data == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Cache-Control"):
        assert head.headers.get(name) == get.headers.get(name)


def operations(app: Flask) -> Iterator[tuple[str, str]]:
    """The method and path of every operation without path parameters."""
    for rule in app.url_map.iter_rules():
        if hasattr(app.view_functions[rule.endpoint], "access") and not rule.arguments and rule.rule.endswith("/"):
            yield from ((method, rule.rule) for method in rule.methods)


def test_the_path_without_its_last_slash_is_served_without_a_redirect(app: Flask, client: FlaskClient) -> None:
    found = list(operations(app))
    assert len(found) > 40
    for method, path in found:
        with_slash = client.open(path, method=method, json={})
        without = client.open(path.rstrip("/"), method=method, json={})

        assert without.status_code == with_slash.status_code, (method, path)
        assert without.status_code in (200, 400, 401), (method, path)


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "application/*",
        "*/*",
        "application/problem+json",
        "text/html",
        "text/xml, */*;q=0.1",
        "",
        "garbage, */*",
    ],
)
def test_a_client_that_accepts_JSON_gets_it(user: ApiUser, accept: str) -> None:
    response = user.get(f"{user.url}?format=json", headers={"Accept": accept})

    assert response.status_code == 200
    assert response.mimetype == "application/json"


@pytest.mark.parametrize("accept", ["application/xml", "text/csv, image/*", "application/json;q=0", "video/mp4"])
def test_a_client_that_accepts_no_available_type_gets_406_without_effect(user: ApiUser, accept: str) -> None:
    read = user.get(user.url, headers={"Accept": accept})
    edited = user.patch(user.url, json={"first_name": "Ada"}, headers={"Accept": accept})

    assert read.status_code == edited.status_code == 406
    assert read.get_json()["code"] == "not_acceptable"
    assert user.get(user.url).get_json()["first_name"] == "Wren"


BROKEN_PATHS = (
    "/%", "/%zz", "/%ff%fe", "/%c0%ae%c0%ae/", "/userapi/users/%00/", "/userapi/users/%c0%af/",
    "/userapi/users/%ed%a0%80/",
    "/userapi/%5c..%5cusers", "/userapi/users/" + "9" * 8000 + "/", "/" + "a/" * 4000,
    "/userapi/users/1%0d%0aX-Injected:%201/",
    "/userapi/auth/sessions/not-a-uuid/", "/userapi/auth/sessions/%7b%7d/", "/userapi/users/${7*7}/",
    "/userapi/users/{{7*7}}/",
)  # fmt: skip


def test_V16_a_broken_path_is_not_found(user: ApiUser) -> None:
    for path in BROKEN_PATHS:
        response = user.get(path)

        assert response.status_code in (400, 404, 405, 414), path[:80]
        assert response.mimetype == "application/problem+json", path[:80]
        assert "X-Injected" not in response.headers
        assert "49" not in response.text
