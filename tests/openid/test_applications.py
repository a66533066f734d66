"""Applications that the guides show sign users in and out here: a Flask app, an Express app, and one behind Apache."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import processes
import pytest
import requests
from werkzeug import Request, Response
from werkzeug.serving import make_server

from tests.support import http_server
from tests.support.apache import apache
from tests.support.guide_code import code_of
from tests.support.http_browser import HttpBrowser
from tests.support.node import CLIENTS, node_with_modules
from tests.support.registered_clients import register
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

GUIDE = "protect-your-own-app.md"

RESOURCE = "https://reports.example.com"


@dataclass(frozen=True)
class Registered:
    """An application's port and what its operator knows of it.

    Attributes:
        port: of 127.0.0.1, on which it listens.
        url: its origin.
        client: its id, its secret and the issuer.
    """

    port: int
    url: str
    client: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the guide names."""
        secret = "a long random text of the application"
        return {
            "ISSUER": self.client["issuer"], "CLIENT_ID": self.client["client_id"],
            "CLIENT_SECRET": self.client["client_secret"], "SECRET_KEY": secret, "SECRET": secret,
            "BASE_URL": self.url, "PORT": str(self.port),
        }  # fmt: skip


@contextmanager
def serve(application: Any, port: int = 0) -> Iterator[int]:
    """Run a WSGI application in this process."""
    server = make_server("127.0.0.1", port, application, threaded=True)
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def run_python(code: str, environment: Mapping[str, str], port: int = 0) -> Iterator[int]:
    """Run a Flask application of the guide with these variables."""
    names: dict[str, Any] = {"__name__": "guide"}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        exec(code, names)  # the guide's own code
    with serve(names["app"], port) as used:
        yield used


@contextmanager
def run_flask(app: Registered) -> Iterator[None]:
    """The Flask application of the guide."""
    with run_python(code_of(GUIDE, "python", "authlib"), app.environment, app.port):
        yield


@contextmanager
def run_express(app: Registered) -> Iterator[None]:
    """The Express application of the guide; Node finds the packages from the folder in which it runs."""
    code = code_of(GUIDE, "javascript")
    with subprocess.Popen(
        [node_with_modules(), "--input-type=module", "--eval", code],
        env={**os.environ, **app.environment}, cwd=CLIENTS, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == "listening"
            yield
        finally:
            process.kill()


@contextmanager
def run_apache(app: Registered) -> Iterator[None]:
    """Apache as the guide configures it, in front of an application that shows the headers that it gets."""

    @Request.application
    def show_headers(request: Request) -> Response:
        return Response("\n".join(f"{name}: {value}" for name, value in request.headers))

    with serve(show_headers) as port:
        changes = {
            "https://accounts.example.com": app.client["issuer"], "https://wiki.example.com": app.url,
            "the-client-id": app.client["client_id"], "the-client-secret": app.client["client_secret"],
            "http://127.0.0.1:8080": f"http://127.0.0.1:{port}",
        }  # fmt: skip
        with apache(app.port, code_of("sign-in-to-your-apps.md", "apache", changes=changes)):
            yield


Run = Callable[[Registered], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("run", "options", "callback", "backchannel", "sign_out"),
    [
        pytest.param(run_flask, (), "/callback", "/backchannel-logout", "/logout", id="Flask"),
        pytest.param(
            run_express, ("--claims-in-id-token",), "/callback", "/backchannel-logout", "/logout", id="Express"
        ),
        pytest.param(
            run_apache, (), "/oidc/callback", "/oidc/callback?logout=backchannel", "/oidc/callback?logout={url}/",
            id="Apache",
        ),
    ],
)  # fmt: skip
def test_users_sign_in_to_an_application_sign_out_there_and_are_signed_out_with_their_session_here(
    run: Run,
    options: tuple[str, ...],
    callback: str,
    backchannel: str,
    sign_out: str,
    provider: http_server.Server,
    user: HttpBrowser,
) -> None:
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    uris = ("--post-logout-redirect-uri", f"{url}/", "--backchannel-logout-uri", f"{url}{backchannel}")
    client = register(provider.environment, *options, *uris, redirect_uri=f"{url}{callback}")
    browser = HttpBrowser(provider.url)
    assert provider.password is not None

    def is_signed_in() -> bool:
        return browser.get(f"{url}/").status_code == 200

    with run(Registered(port, url, client)):
        browser.sign_in(provider.email, provider.password)
        page = browser.enter(f"{url}/")
        assert (page.status_code, provider.email in page.text) == (200, True), page.text
        made_up = {"X-Remote-User": "made up", "OIDC_CLAIM_email": "made up"}
        assert "made up" not in browser.session.get(f"{url}/", headers=made_up, timeout=60).text

        left = browser.leave(url + sign_out.format(url=url))
        assert left.url.startswith(f"{url}/")
        assert left.status_code in (302, 303)  # to the sign-in
        assert not is_signed_in()
        assert browser.get("/account/").is_redirect

        browser.sign_in(provider.email, provider.password)
        assert provider.email in browser.enter(f"{url}/").text
        assert is_signed_in()
        assert browser.send("/logout/", {}).status_code == 303
        wait_until(lambda: not is_signed_in())

        # The email address of this user is not confirmed.
        assert user.enter(f"{url}/").status_code == (401 if run is run_apache else 200)


def test_the_flask_app_survives_users_who_do_not_allow_it_or_sign_out_twice(
    provider: http_server.Server, user: HttpBrowser
) -> None:
    port = processes.free_port()
    url = f"http://127.0.0.1:{port}"
    client = register(provider.environment, "--post-logout-redirect-uri", f"{url}/", redirect_uri=f"{url}/callback")

    with run_flask(Registered(port, url, client)):
        denied = user.get(user.deny(user.get(f"{url}/login").headers["Location"]))
        assert (denied.status_code, denied.text) == (400, "You are not signed in (access_denied).")
        assert user.leave(f"{url}/logout").headers["Location"] == "/login"


def test_an_api_accepts_tokens_for_itself_by_their_signature_or_by_introspection(
    provider: http_server.Server,
) -> None:
    def register_machine(*options: str) -> dict[str, str]:
        return register(provider.environment, "--kind", "machine", *options, redirect_uri=None)

    caller = register_machine("--scope", "reports:read", "--resource", RESOURCE)
    api = register_machine("--resource", RESOURCE)
    credentials = (caller["client_id"], caller["client_secret"])

    def issue(**more: str) -> str:
        form = {"grant_type": "client_credentials", **more}
        tokens = requests.post(f"{provider.url}/oauth/token/", data=form, auth=credentials, timeout=30).json()
        return str(tokens["access_token"])

    token, for_others = issue(resource=RESOURCE), issue()
    environment = {"ISSUER": api["issuer"], "AUDIENCE": RESOURCE}
    with run_python(code_of(GUIDE, "python", "read_token"), environment) as port:

        def call(authorization: str) -> requests.Response:
            headers = {"Authorization": authorization}
            return requests.get(f"http://127.0.0.1:{port}/reports", headers=headers, timeout=30)

        seen = call(f"Bearer {token}")
        rejected = [call(f"Bearer {for_others}"), call(f"Bearer {token}x"), call("Bearer x"), call(token)]

    assert seen.json() == {"caller": caller["client_id"], "client": caller["client_id"], "scope": ["reports:read"]}
    assert [each.status_code for each in rejected] == [401] * 4

    names: dict[str, Any] = {}
    exec(code_of(GUIDE, "python", "is_active"), names)  # the guide's own code
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**environment, **{key.upper(): api[key] for key in ("client_id", "client_secret")}}.items():
            patched.setenv(name, value)
        assert [names["is_active"](each) for each in (token, for_others, "x")] == [True, False, False]
