"""The scripts in the guides for front ends, in a real browser: cookies on the same origin, tokens on another."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

import config
from tests.support import commands, http_server
from tests.support.factories import PASSWORD, new_user, sequence

#: The lifetime of access tokens, in seconds, short enough that the script for another origin gets an expired one.
LIFETIME = 4


class EmptyPage(BaseHTTPRequestHandler):
    """A front end with an empty page, and the TypeScript client at `/client/`."""

    client: Path

    def do_GET(self) -> None:
        is_script = self.path.startswith("/client/")
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if is_script else "text/html")
        self.end_headers()
        if is_script:
            self.wfile.write((self.client / "dist" / self.path.removeprefix("/client/")).read_bytes())

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""


@dataclass
class Place:
    """The service, and the origin of a front end that may call it."""

    url: str
    elsewhere: str

    def create_account(self) -> str:
        """Register an account; return its email address."""
        wanted = new_user(email=f"front{next(sequence)}@example.com")
        assert requests.post(f"{self.url}/userapi/users/", json=wanted, timeout=10).status_code == 201
        return str(wanted["email"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, typescript_client: Path) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("front")
    EmptyPage.client = typescript_client
    front_end = ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage)
    threading.Thread(target=front_end.serve_forever, daemon=True).start()
    elsewhere = f"http://127.0.0.1:{front_end.server_port}"
    settings = {"CORS_ORIGINS": elsewhere, "ACCESS_TOKEN_LIFETIME": str(LIFETIME), "WORKERS": "1"}
    with http_server.run_server(
        folder, commands.environment(f"sqlite:///{folder}/front.db", folder, **settings)
    ) as server:
        yield Place(server.url, elsewhere)
    front_end.shutdown()
    front_end.server_close()


def script_of(guide: str) -> str:
    """The script in a guide."""
    (script,) = re.findall(r"```js\n(.*?)```", (config.ROOT / "docs" / "guides" / guide).read_text(), re.DOTALL)
    return str(script)


def test_the_script_for_cookies_can_send_changes(place: Place, watch: Callable[..., Any]) -> None:
    email = place.create_account()
    with watch(place.url) as visitor:
        visitor.go("/login/")
        visitor.fill(email=email, password=PASSWORD)
        visitor.press("Sign in")

        seen = visitor.page.evaluate(
            f"""async () => {{
              {script_of("front-end-with-cookies.md")}
              const bare = await fetch("/userapi/auth/user/", {{method: "PATCH"}});
              const changed = await call("PATCH", "/userapi/auth/user/", {{first_name: "Cora"}});
              return [bare.status, changed.status, (await changed.json()).first_name];
            }}"""
        )

        assert seen == [403, 200, "Cora"]


def test_the_script_for_another_origin_refreshes_once_for_all_calls(place: Place, watch: Callable[..., Any]) -> None:
    email = place.create_account()
    with watch(place.elsewhere) as visitor:
        visitor.go("/")

        seen = visitor.page.evaluate(
            f"""async () => {{
              const SITE = "{place.url}";
              class SignedOut extends Error {{}}
              class TryLater extends Error {{}}
              {script_of("single-page-app.md")}
              const headers = {{"Content-Type": "application/json"}};
              const body = JSON.stringify({{email: "{email}", password: "{PASSWORD}"}});
              tokens = await (await fetch(`${{SITE}}/userapi/auth/login/`, {{method: "POST", headers, body}})).json();
              const first = tokens.refresh_token;
              await new Promise((done) => setTimeout(done, {LIFETIME + 1} * 1000));
              const responses = await Promise.all([1, 2, 3].map(() => call("/userapi/auth/user/")));
              const renewed = tokens.refresh_token !== first;
              await call("/userapi/auth/logout/", {{method: "POST"}});
              const end = await call("/userapi/auth/user/").catch((error) => error instanceof SignedOut);
              return [responses.map((response) => response.status), renewed, end];
            }}"""
        )

        assert seen == [[200, 200, 200], True, True]


@pytest.mark.parametrize("is_late", [False, True], ids=["tokens immediately", "tokens late"])
def test_two_tabs_with_the_client_keep_one_session_and_sign_out_together(
    is_late: bool, place: Place, watch: Callable[..., Any]
) -> None:
    email = place.create_account()
    with watch(place.elsewhere) as visitor:
        first, second = tabs = visitor.page, visitor.page.context.new_page()
        refreshes: list[str | None] = []
        for tab in tabs:
            tab.on("request", lambda sent: refreshes.append(sent.post_data) if "token-refresh" in sent.url else None)
            tab.goto(place.elsewhere)
            tab.evaluate(
                f"""async () => {{
                  const {{ createClient, localTokenStorage }} = await import("/client/index.js");
                  window.client = createClient({{ baseUrl: "{place.url}", storage: localTokenStorage() }});
                  window.end = new Promise((resolve) => client.onSignedOut(({{ reason }}) => resolve(reason)));
                  window.read = async () => (await client.fetch("/userapi/auth/user/")).status;
                }}"""
            )
        first.evaluate(
            f"""async () => {{
              await client.signIn({{ email: "{email}", password: "{PASSWORD}" }});
              const stored = JSON.parse(localStorage["userapi-client"]);
              localStorage["userapi-client"] = JSON.stringify({{ ...stored, expiresAt: 0 }});
              navigator.locks.request("userapi-client", () => new Promise((release) => (window.release = release)));
            }}"""
        )
        if is_late:  # what a process of the browser sees until it learns of the change that another process made
            second.evaluate(
                """() => {
                  const { getItem } = Storage.prototype, seen = localStorage["userapi-client"];
                  let late = 2;
                  Storage.prototype.getItem = function (key) { return late-- > 0 ? seen : getItem.call(this, key); };
                }"""
            )
        for tab in tabs:
            tab.evaluate("() => { window.result = read(); }")
        first.evaluate("release()")
        statuses = [tab.evaluate("result") for tab in tabs] + [tab.evaluate("read()") for tab in tabs]
        first.evaluate("client.signOut()")

        assert statuses == [200, 200, 200, 200]
        assert len(refreshes) >= 1
        if is_late:
            assert refreshes[0] == refreshes[1]  # a token that both send brings both the same pair
        assert [tab.evaluate("end") for tab in tabs] == ["signed_out", "elsewhere"]
        assert second.evaluate("client.isSignedIn()") is False
