"""Signing in with a certified OpenID provider in a real browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import processes
import pytest
import requests
from playwright.sync_api import expect
from werkzeug import Response
from werkzeug.serving import make_server

from tests.support import commands, http_server
from tests.support.browser import PHONE, BrowserPage
from tests.support.factories import PASSWORD, PROFILE
from tests.support.oidc_provider import ADA, OidcProvider, oidc_provider
from userapi.federation.visits import compute_challenge

pytestmark = pytest.mark.browser

VERIFIER = "a-verifier-of-the-app-that-no-one-else-has-00"
#: The page of an app on another origin.
APP_PAGE = """<!doctype html><title>App</title><p id="out"></p><script type="module">
const code = new URL(location).searchParams.get("code");
const response = await fetch("%s/userapi/auth/providers/redeem/", {method: "POST",
  headers: {"Content-Type": "application/json"}, body: JSON.stringify({code, code_verifier: "%s"})});
const answer = await response.json();
document.getElementById("out").textContent = answer.outcome + " " + (answer.user || answer).email;
</script>"""


@dataclass
class Federation:
    """The service, the provider that its users can sign in with, and the page of an app that uses both."""

    url: str
    provider: OidcProvider
    app: str


@contextmanager
def serve_page(page: str) -> Iterator[str]:
    """A page that answers every request to an origin of its own; the origin."""
    application = Response(page, mimetype="text/html")
    server = make_server("127.0.0.1", processes.free_port(), application)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """The service as `make run` starts it, with one provider that signs visitors in without asking them."""
    folder, port = tmp_path_factory.mktemp("federation"), str(processes.free_port())
    callback = f"http://127.0.0.1:{port}/auth/callback/acme/"
    people = {name: {**ADA, "email": f"{name}@example.com"} for name in ("ada", "grace", "hopper")}
    page = APP_PAGE % (f"http://127.0.0.1:{port}", VERIFIER)
    with oidc_provider(callback, people) as provider, serve_page(page) as app:
        settings = {
            **provider.settings(),
            "PROVIDER_ACME_NAME": "Acme",
            "PROVIDER_ACME_TRUSTS_EMAIL": "true",
            "PROVIDER_RETURN_URLS": f"{app}/back",
            "CORS_ORIGINS": app,
            "RATELIMIT_ENABLED": "false",
            "WORKERS": "1",
            "PORT": port,
            "SITE_URL": f"http://127.0.0.1:{port}",
        }
        environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **settings)
        with http_server.run_server(folder, environment) as server:
            yield Federation(server.url, provider, f"{app}/back")


@pytest.fixture
def phone(watch: Callable[..., Any], federation: Federation) -> Iterator[BrowserPage]:
    """A small browser without scripts."""
    federation.provider.answer(sub="ada")
    with watch(federation.url, viewport=PHONE, java_script_enabled=False) as watched:
        yield watched
    assert watched.console_errors == []


def test_a_visitor_registers_with_a_provider_and_signs_in_again(phone: BrowserPage) -> None:
    phone.go("/login/?next=/account/devices/")
    phone.press("Continue with Acme")
    phone.page.wait_for_url("**/register/acme/")
    phone.fill(**{f"profile__{name}": text for name, text in PROFILE.items()})
    phone.press("Create account")
    phone.page.wait_for_url("**/account/devices/")
    assert "Signed in with Acme." in phone.page.content()
    phone.press("Sign out")

    phone.go("/login/")
    phone.press("Continue with Acme")

    phone.page.wait_for_url("**/account/")
    assert "ada@example.com" in phone.page.content()


def test_a_user_links_a_provider_by_a_page_that_needs_no_script(
    watch: Callable[..., Any], federation: Federation
) -> None:
    user = {"email": "grace@example.com", "password": PASSWORD, "profile": PROFILE}
    assert requests.post(f"{federation.url}/userapi/users/", json=user, timeout=10).status_code == 201
    federation.provider.answer(sub="grace")
    with watch(federation.url, viewport=PHONE, locale="ar-EG", color_scheme="dark") as browser:
        browser.go("/login/?next=/account/security/")
        browser.fill(email=user["email"], password=PASSWORD)
        browser.page.locator("form[action='/login/'] [type=submit]").click()
        browser.page.wait_for_url("**/account/security/")
        browser.page.route(f"{federation.provider.issuer}/**", lambda route: route.fulfill(status=204))
        browser.page.locator("form[action$='/identities/acme/'] button").click()
        button = browser.page.locator(f"a[href^='{federation.provider.issuer}/']")
        button.wait_for()
        assert (browser.violations(), browser.overflows()) == ([], False)
        browser.shoot("provider-hop")
        browser.page.unroute(f"{federation.provider.issuer}/**")
        button.click()
        browser.page.wait_for_url("**/account/security/")
        assert browser.page.locator("#ways strong").inner_text() == "Acme"
        assert (browser.violations(), browser.overflows()) == ([], False)
        browser.page.locator("#ways [action$='/unlink/'] button").click()
        browser.page.locator("dialog[open] button[value=yes]").click()
        browser.page.locator("form[action$='/identities/acme/'] button").wait_for()


def test_an_app_on_another_origin_signs_in_and_a_stolen_answer_does_not(
    watch: Callable[..., Any], federation: Federation
) -> None:
    federation.provider.answer(sub="hopper")
    query = {"return_to": federation.app, "code_challenge": compute_challenge(VERIFIER), "state": "s"}
    with watch(federation.url) as browser:
        browser.go(f"/auth/start/acme/?{urlencode(query)}")
        expect(browser.page.locator("#out")).to_have_text("registration hopper@example.com")
        assert browser.console_errors == []

    with watch(federation.url) as attacker, watch(federation.url) as victim:
        attacker.page.route(f"{federation.provider.issuer}/**", lambda route: route.fulfill(status=204))
        attacker.go("/login/")
        attacker.press("Continue with Acme")
        there = attacker.page.locator(f"a[href^='{federation.provider.issuer}/']").get_attribute("href")
        victim.page.goto(federation.provider.visit(str(there)))
        assert "Sign-in expired" in victim.page.content()
        assert victim.page.context.cookies() == []
