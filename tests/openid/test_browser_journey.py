"""Signing in to a client, on a device, and signing out, in a real browser."""

import json
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import processes
import pytest
import requests
from playwright.sync_api import expect
from werkzeug import Request, Response
from werkzeug.serving import make_server

from tests.support import commands
from tests.support.browser import Site
from tests.support.factories import PASSWORD, new_user
from tests.support.relying_party import make_verifier

EMAIL = "wren@example.com"


@pytest.fixture
def origin() -> Iterator[str]:
    """The origin of a client whose page shows how it was called and with which parameters."""

    @Request.application
    def show(request: Request) -> Response:
        shown = f"{request.method} {' '.join(sorted(request.values))}"
        return Response(f"<!doctype html><title>Handbook</title><p>{shown}</p>", mimetype="text/html")

    server = make_server("127.0.0.1", processes.free_port(), show, threaded=True)  # a browser opens spare connections
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def test_Q52_every_page_of_the_provider_works_under_its_policy(
    site: Site, origin: str, watch: Callable[..., Any]
) -> None:
    created = requests.post(f"{site.url}/userapi/users/", json=new_user(email=EMAIL), timeout=30)
    assert created.status_code == 201, created.text
    uris = ("--redirect-uri", f"{origin}/callback", "--post-logout-redirect-uri", f"{origin}/bye")
    grants = ("--grant", "device_code", "--grant", "authorization_code")
    done = commands.run(
        *commands.FLASK, "clients", "add", "Handbook", "--kind", "native", *uris, *grants, "--json",
        env=site.environment,
    )  # fmt: skip
    assert done.code == 0, done.errors
    client_id = json.loads(done.output)["client_id"]

    def request(**more: str) -> str:
        parameters = {
            "response_type": "code", "client_id": client_id, "redirect_uri": f"{origin}/callback", "scope": "openid",
            "code_challenge": make_verifier()[1], "code_challenge_method": "S256", "state": "</script><b>", **more,
        }  # fmt: skip
        return f"/oauth/authorize/?{urlencode(parameters)}"

    with watch(site.url) as browser:
        page = browser.page
        browser.go(request())
        browser.fill(email=EMAIL, password=PASSWORD)
        browser.press("Sign in")
        browser.press("Allow")
        expect(page.locator("p")).to_have_text("GET code iss state")

        browser.go(request(response_mode="form_post", scope="openid email"))
        browser.press("Allow")
        expect(page.locator("p")).to_have_text("POST code iss state")
        browser.go(request(response_mode="form_post"))
        expect(page.locator("p")).to_have_text("POST code iss state")

        form = {"client_id": client_id, "scope": "openid"}
        started = requests.post(f"{site.url}/oauth/device/", data=form, timeout=30).json()
        browser.go("/device/")
        browser.fill(user_code=started["user_code"])
        browser.press("Continue")
        expect(page.locator("main strong").first).to_have_css("font-weight", "600")  # the code stands out
        browser.press("Allow")
        page.get_by_role("heading", name="The device is being signed in").wait_for()

        leave = {"client_id": client_id, "post_logout_redirect_uri": f"{origin}/bye", "state": "left"}
        browser.go(f"/oauth/logout/?{urlencode(leave)}")
        page.get_by_role("main").get_by_role("button", name="Sign out").click()
        expect(page.locator("p")).to_have_text("GET state")

        assert browser.console_errors == []
