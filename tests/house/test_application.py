"""Our shortcuts in the application behave as Flask and Werkzeug do."""

import io
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, Rule
from werkzeug.test import EnvironBuilder

from userapi.http.application import CompleteResponse

ADDRESSES = (
    "/", "/userapi/users/7/", "/userapi/users/7", "//userapi/users/7/", "/userapi//users/7/", "/userapi/users/0/",
    "/userapi/users/?email=a%40b.example&q=%C3%A4", "/g%C3%B6teborg/", "/%ff%fe/", "/admin/users/",
    "/docs/", "/nowhere/",
)  # fmt: skip
HOSTS = (
    "127.0.0.1:8000",
    "users.example",
    "Users.Example:80",
    "users.example:443",
    "[::1]:8000",
    "a b",
    "",
    "ä.example",
)


def environ_of(**options: Any) -> dict[str, Any]:
    builder = EnvironBuilder(**options)
    try:
        return builder.get_environ()
    finally:
        builder.close()


def found_by(adapter: MapAdapter | None) -> object:
    assert adapter is not None
    try:
        rule, arguments = adapter.match(return_rule=True)
    except HTTPException as error:
        return type(error), error.get_response().headers.get("Location")
    return rule, arguments


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_path_is_matched_as_by_Flask(app: Flask, address: str, method: str) -> None:
    for root in ("", "/below"):
        path, _, query = address.partition("?")
        environ = environ_of(method=method, base_url=f"http://localhost{root}")
        environ |= {"PATH_INFO": unquote_to_bytes(path).decode("latin1"), "QUERY_STRING": query}
        request = app.request_class(environ)
        ours, flasks = app.create_url_adapter(request), Flask.create_url_adapter(app, request)

        assert vars(ours) == vars(flasks)
        assert found_by(ours) == found_by(flasks)


def test_a_request_without_a_path_is_for_the_root(app: Flask) -> None:
    environ = environ_of()
    del environ["PATH_INFO"]
    request = app.request_class(environ)

    assert vars(app.create_url_adapter(request)) == vars(Flask.create_url_adapter(app, request))  # type: ignore[arg-type]


def test_every_URL_is_built_as_by_Werkzeug(app: Flask) -> None:
    rules = list(app.url_map.iter_rules())
    for rule in rules:
        values = {name: 7 if "int" in repr(rule._converters[name]).lower() else "ä b/c" for name in rule.arguments}
        values |= rule.defaults or {}
        for is_query_kept, more in ((False, {}), (True, {}), (True, {"q": ["ä", "b"]})):
            build = Rule._compile_builder(rule, is_query_kept)

            assert rule.build(values | more, is_query_kept) == build(rule, **values, **more), rule


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_is_read_as_by_Flask(app: Flask, host: str, scheme: str) -> None:
    environ = environ_of() | {"HTTP_HOST": host, "wsgi.url_scheme": scheme}
    ours, flasks = app.request_class(dict(environ)), app.request_class(dict(environ))

    assert vars(app.create_url_adapter(ours)) == vars(Flask.create_url_adapter(app, flasks))  # type: ignore[arg-type]
    assert ours.host == flasks.host


ODDITIES = ({"Connection": "Upgrade", "Upgrade": "websocket"}, {"Host": f"{'a' * 64}.example"})


@pytest.mark.parametrize("oddity", ODDITIES, ids=["websocket", "long-label"])
def test_unusual_requests_that_Flask_rejects_get_plain_responses(client: FlaskClient, oddity: dict[str, str]) -> None:
    assert client.get("/userapi/", headers=oddity).get_json() == client.get("/userapi/").get_json()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("status", [200, 201, 204, 304, 404])
def test_a_response_is_sent_as_by_Werkzeug(status: int, method: str) -> None:
    headers = {"Location": "/göteborg/", "ETag": '"x"'} if status == 201 else {"ETag": '"x"', "Vary": "Accept"}
    made = [kind(b'{"id": 7}', status, headers, mimetype="application/json") for kind in (CompleteResponse, Response)]

    ours, werkzeugs = (response.get_wsgi_response(environ_of(method=method)) for response in made)

    assert b"".join(ours[0]) == b"".join(werkzeugs[0])
    assert ours[1:] == werkzeugs[1:]


def test_a_response_closes_its_resources(app: Flask) -> None:
    held = io.BytesIO()
    response = CompleteResponse(b"{}", mimetype="application/json")
    response.call_on_close(held.close)

    body, _status, _headers = response.get_wsgi_response(environ_of())
    body.close()  # type: ignore[attr-defined]

    assert held.closed
