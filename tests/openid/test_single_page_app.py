"""The single-page app of the guide, with oidc-client-ts in a real browser, on another origin than the service."""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest
import requests
from playwright.sync_api import expect
from werkzeug import Request, Response
from werkzeug.serving import make_server

from tests.support.browser import Site
from tests.support.factories import PASSWORD, new_user
from tests.support.guide_code import code_of
from tests.support.node import MODULES, node_with_modules
from tests.support.registered_clients import register

EMAIL = "lark@example.com"

LIBRARY = "oidc-client-ts/dist/browser/oidc-client-ts.min.js"

#: What the library does before a token expires, with what the app has stored, and what other libraries read.
LATER = """async (issuer) => {
  const key = Object.keys(sessionStorage).find((name) => name.startsWith("oidc.user:"));
  const [, client] = key.match(/:([^:]+)$/);
  const users = new oidc.UserManager({ authority: issuer, client_id: client, redirect_uri: `${location.origin}/` });
  const [first, second] = [await users.getUser(), await users.signinSilent()];
  const headers = { Authorization: `Bearer ${second.access_token}` };
  const userinfo = await (await fetch(`${issuer}/oauth/userinfo/`, { headers })).json();
  const { keys } = await (await fetch(`${issuer}/.well-known/jwks.json`)).json();
  return [first, second, userinfo, keys];
}"""


class Board:
    """The server of the app's files, which knows the client id as soon as there is one."""

    page = ""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        is_script = Request(environ).path.endswith(".js")
        kind = "text/javascript" if is_script else "text/html"
        body = (MODULES / LIBRARY).read_bytes() if is_script else self.page.encode()
        return Response(body, mimetype=kind)(environ, start_response)


@pytest.fixture
def board(site: Site) -> Iterator[str]:
    """The origin of the app."""
    node_with_modules()
    files = Board()
    server = make_server("127.0.0.1", 0, files, threaded=True)
    thread = Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    origin = f"http://127.0.0.1:{server.server_port}"
    options = ("--kind", "spa", "--origin", origin, "--post-logout-redirect-uri", f"{origin}/")
    client = register(site.environment, *options, redirect_uri=f"{origin}/")
    changes = {"https://accounts.example.com": site.url, "the-client-id": client["client_id"]}
    files.page = code_of("protect-your-own-app.md", "html", changes=changes)
    yield origin
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_app_in_the_browser_signs_in_refreshes_silently_and_signs_out(
    site: Site, board: str, watch: Callable[..., Any]
) -> None:
    created = requests.post(f"{site.url}/userapi/users/", json=new_user(email=EMAIL), timeout=30)
    assert created.status_code == 201, created.text

    with watch(board) as visitor:
        page = visitor.page
        visitor.go("/")
        expect(page.locator("#user")).to_have_text("Signed out")
        visitor.press("Sign in")
        visitor.fill(email=EMAIL, password=PASSWORD)
        visitor.press("Sign in")
        visitor.press("Allow")
        expect(page.locator("#user")).to_have_text(f"Signed in as {EMAIL}")
        assert page.url == f"{board}/"

        first, second, userinfo, keys = page.evaluate(LATER, site.url)
        assert first["refresh_token"] != second["refresh_token"]
        assert first["profile"]["sub"] == second["profile"]["sub"]
        assert userinfo["email"] == EMAIL
        assert [key["alg"] for key in keys] == ["ES256"]

        visitor.press("Sign out")
        page.get_by_role("main").get_by_role("button", name="Sign out").click()
        expect(page.locator("#user")).to_have_text("Signed out")
        assert visitor.console_errors == []

        visitor.press("Sign in")
        expect(page.locator("input[name=password]")).to_be_visible()
