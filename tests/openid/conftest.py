"""The fixtures of the tests of the OpenID provider."""

from collections.abc import Iterator

import pytest
import requests
from flask import Flask

from tests.support import commands, http_server
from tests.support.factories import PASSWORD, make_user, new_user, sequence
from tests.support.form_browser import FormBrowser
from tests.support.http_browser import HttpBrowser
from tests.support.relying_party import RelyingParty, make_client


@pytest.fixture
def email(app: Flask) -> str:
    """The email address of a user."""
    address = str(new_user()["email"])
    make_user(app, email=address)
    return address


@pytest.fixture
def signed_in(app: Flask, email: str) -> FormBrowser:
    """The browser of that user, who is signed in."""
    found = FormBrowser(app)
    assert found.sign_in(email).status_code == 303
    return found


@pytest.fixture
def handbook(app: Flask) -> RelyingParty:
    """A confidential web client with every scope."""
    return make_client(app, scopes="openid profile email address groups offline_access")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    """The service as `make run` starts it."""
    folder = tmp_path_factory.mktemp("provider")
    environment = commands.environment(f"sqlite:///{folder / 'db.sqlite3'}", folder)
    with http_server.run_server(folder, environment) as server:
        yield server


@pytest.fixture
def user(provider: http_server.Server) -> HttpBrowser:
    """The browser of a user of the running service who is signed in."""
    email = f"reader{next(sequence)}@example.com"
    created = requests.post(f"{provider.url}/userapi/users/", json=new_user(email=email), timeout=30)
    assert created.status_code == 201, created.text
    browser = HttpBrowser(provider.url)
    browser.sign_in(email, PASSWORD)
    return browser
