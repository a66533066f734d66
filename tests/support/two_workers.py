"""Requests of tests that go to a server with two workers, instead of the application in the process of the tests."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request

from tests.support import commands, http_server
from tests.support.passkeys import ORIGIN


class ServerClient(FlaskClient):
    """A test client whose requests go over the network, each by its own connection, so that either worker gets it."""

    server_url: str

    def run_wsgi_app(self, environ: dict[str, Any], buffered: bool = False) -> tuple[list[bytes], str, Headers]:
        self._add_cookies_to_wsgi(environ)
        sent = Request(environ)
        response = requests.request(
            sent.method,
            self.server_url + sent.full_path,
            headers={name: value for name, value in sent.headers if name != "Host"},
            data=sent.get_data(),
            allow_redirects=False,
            timeout=60,
        )
        headers = Headers(list(response.raw.headers.items()))
        self._update_cookies_from_response("localhost", sent.path, headers.getlist("Set-Cookie"))
        return [response.content], f"{response.status_code} {response.reason}", headers


@pytest.fixture(scope="session")
def two_workers(
    shared_app: Flask, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[http_server.Server, type[FlaskClient]]]:
    """A server with two workers over the database of the tests, and the client that sends requests to it."""
    environment = commands.environment_for(
        shared_app, WORKERS="2", SITE_URL=ORIGIN, RATELIMIT_ENABLED="false", MAIL_DELIVERY="none",
        PASSWORD_HASH_MEMORY="8", PASSWORD_HASH_TIME="1", IMPERSONATION="true",
    )  # fmt: skip
    with http_server.run_server(tmp_path_factory.mktemp("two_workers"), environment) as server:
        yield server, type("Client", (ServerClient,), {"server_url": server.url})


@pytest.fixture
def served_by_two_workers(
    app: Flask, two_workers: tuple[http_server.Server, type[FlaskClient]]
) -> Iterator[http_server.Server]:
    """Every client of the application sends its requests to the server with two workers."""
    in_this_process = app.test_client_class
    server, app.test_client_class = two_workers
    yield server
    app.test_client_class = in_this_process
