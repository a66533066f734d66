"""Apps that send a browser to sign in with a provider, and redeem the code that it comes back with."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import can_sign_in, sign_in
from tests.support.factories import PASSWORD, PROFILE, make_user
from tests.support.fake_provider import SETTINGS, FakeProvider
from tests.support.form_browser import FormBrowser
from tests.support.mailed_codes import code_in, newest_email
from tests.support.provider_visits import CALLBACK, callback_path, link_identity
from tests.support.required_steps import require_from
from tests.support.sql import fetch_number
from tests.support.staff_imports import move_clock
from userapi.federation.visits import compute_challenge

EMAIL = "wren@customers.example.com"
WREN = {"email": EMAIL, "email_verified": True, "given_name": "Wren", "family_name": "Okafor"}
BACK, VERIFIER = "https://app.example.com/back", "a-verifier-of-the-app-that-no-one-else-has-00"
START = {"return_to": BACK, "code_challenge": compute_challenge(VERIFIER), "state": "of the app"}
API = "/userapi/auth/providers/"


@pytest.fixture
def app_with_apps(make_app: Callable[..., Flask], acme: FakeProvider) -> Flask:
    """An application that apps may send browsers to."""
    acme.claims = dict(WREN)
    urls = f"{BACK},http://127.0.0.1/back,com.example.app:/back"
    return make_app(**SETTINGS, PROVIDER_RETURN_URLS=urls, SIGN_IN_BY_MAIL="code")


def start(browser: FormBrowser, **changes: str) -> TestResponse:
    """Open the URL that an app sends its user's browser to."""
    sent = {name: value for name, value in {**START, **changes}.items() if value}
    return browser.get(f"/auth/start/acme/?{urlencode(sent)}")


def come_back(app: Flask, acme: FakeProvider, **changes: str) -> dict[str, str]:
    """Send a browser, sign in at the provider, and return what the app gets in its URL."""
    browser = FormBrowser(app)
    started = start(browser, **changes)
    assert started.status_code == 303, started.text
    response = browser.get(callback_path(acme, started.headers["Location"]))
    assert response.status_code == 303, response.text
    url = urlsplit(response.headers["Location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == changes.get("return_to", BACK)
    return dict(parse_qsl(url.query))


def redeem(app: Flask, code: str, verifier: str = VERIFIER, **more: object) -> TestResponse:
    return app.test_client().post(f"{API}redeem/", json={"code": code, "code_verifier": verifier, **more})


def test_the_list_of_providers_needs_no_sign_in(app_with_apps: Flask) -> None:
    (listed,) = app_with_apps.test_client().get(API).get_json()["results"]

    assert listed == {"id": "acme", "name": "Acme", "start_url": "https://accounts.example.com/auth/start/acme/"}


def test_an_app_registers_and_signs_in_with_a_provider(app_with_apps: Flask, acme: FakeProvider) -> None:
    answer = come_back(app_with_apps, acme)
    assert (answer["state"], answer["iss"]) == ("of the app", "https://accounts.example.com")
    outcome = redeem(app_with_apps, answer["code"]).get_json()
    ticket = outcome.pop("ticket")
    assert outcome == {
        "outcome": "registration", "email": EMAIL, "email_confirmed": True, "first_name": "Wren", "last_name": "Okafor",
    }  # fmt: skip
    client = app_with_apps.test_client()
    wrong = client.post(f"{API}register/", json={"ticket": ticket, "profile": {}})
    assert wrong.status_code == 400
    created = client.post(f"{API}register/", json={"ticket": ticket, "profile": PROFILE, "first_name": "Wren"})
    assert created.status_code == 201, created.text
    user = created.get_json()["user"]
    assert (user["email"], user["email_verified"], created.headers["Location"]) == (EMAIL, True, user["url"])

    signed_in = redeem(app_with_apps, come_back(app_with_apps, acme)["code"]).get_json()

    assert (signed_in["outcome"], signed_in["user"]["id"]) == ("signed_in", user["id"])
    headers = {"Authorization": f"Bearer {signed_in['access_token']}"}
    sessions = client.get("/userapi/auth/sessions/", headers=headers).get_json()["results"]
    assert {session["way"] for session in sessions} == {"provider:acme"}


def test_an_app_proves_an_account_by_its_password_or_a_code(app_with_apps: Flask, acme: FakeProvider) -> None:
    user_id = make_user(app_with_apps, email=EMAIL, email_verified=True)
    outcome = redeem(app_with_apps, come_back(app_with_apps, acme)["code"]).get_json()
    assert (outcome["outcome"], outcome["ways"]) == ("proof", ["password", "mailed_code"])
    assert EMAIL not in str(outcome)
    client = app_with_apps.test_client()

    assert client.post(f"{API}prove/", json={"ticket": outcome["ticket"], "password": "wrong 1"}).status_code == 401
    assert client.post(f"{API}prove/", json={"ticket": outcome["ticket"]}).status_code == 401
    sent = client.post("/userapi/auth/code/", json={"purpose": "claim", "ticket": outcome["ticket"]})
    assert sent.status_code == 202, sent.text
    proved = client.post(f"{API}prove/", json={"ticket": outcome["ticket"], "password": PASSWORD})

    assert (proved.status_code, proved.get_json()["user"]["id"]) == (200, user_id), proved.text
    assert fetch_number(app_with_apps, "SELECT count(*) FROM identities") == 1


def test_a_session_for_set_up_links_nothing(app_with_apps: Flask, acme: FakeProvider) -> None:
    make_user(app_with_apps, email=EMAIL, email_verified=True)
    require_from(app_with_apps, "everyone")
    token = sign_in(app_with_apps, EMAIL)["access_token"]
    ticket = redeem(app_with_apps, come_back(app_with_apps, acme)["code"]).get_json()["ticket"]

    refused = app_with_apps.test_client().post(
        f"{API}prove/", json={"ticket": ticket}, headers={"Authorization": f"Bearer {token}"}
    )

    assert (refused.status_code, refused.get_json()["code"]) == (403, "second_step_required")
    assert fetch_number(app_with_apps, "SELECT count(*) FROM identities") == 0


def test_an_app_claims_an_unconfirmed_account_by_a_code(app_with_apps: Flask, acme: FakeProvider) -> None:
    user_id = make_user(app_with_apps, email=EMAIL)
    outcome = redeem(app_with_apps, come_back(app_with_apps, acme)["code"]).get_json()
    assert outcome["ways"] == ["mailed_code"]
    client, ticket = app_with_apps.test_client(), outcome["ticket"]
    assert client.post(f"{API}prove/", json={"ticket": ticket, "password": PASSWORD}).status_code == 400
    challenge = client.post("/userapi/auth/code/", json={"purpose": "claim", "ticket": ticket}).get_json()["challenge"]
    code = code_in(newest_email(app_with_apps, EMAIL))

    proved = client.post(f"{API}prove/", json={"ticket": ticket, "challenge": challenge, "code": code})

    assert (proved.status_code, proved.get_json()["user"]["id"]) == (200, user_id), proved.text
    assert proved.get_json()["user"]["email_verified"] is True
    assert not can_sign_in(app_with_apps, EMAIL)


@pytest.mark.parametrize(
    "return_to",
    [
        "https://app.example.com/back/", "https://app.example.com/back?x=1", "https://app.example.com:444/back",
        "https://app.example.com@evil.example/back", "https://evil.example/back", "//app.example.com/back",
        "http://app.example.com/back", "https://app.example.com\\@evil.example/back", "/account/", "",
        "http://127.0.0.1.evil.example:80/back", "http://127.0.0.1:99999/back", "http://localhost:8/back",
        "https://app.example.com/back#x", "javascript:alert(1)", "com.example.app:/other",
    ],
)  # fmt: skip
def test_I39_browsers_return_to_registered_urls_alone(app_with_apps: Flask, acme: FakeProvider, return_to: str) -> None:
    refused = start(FormBrowser(app_with_apps), return_to=return_to)

    assert (refused.status_code, "Location" in refused.headers) == (400, False)
    assert acme.requests == []


@pytest.mark.parametrize("return_to", ["http://127.0.0.1:51004/back", "com.example.app:/back"])
def test_native_apps_return_to_any_port_of_this_machine_or_their_own_scheme(
    app_with_apps: Flask, acme: FakeProvider, return_to: str
) -> None:
    browser = FormBrowser(app_with_apps)
    url = start(browser, return_to=return_to).headers["Location"]

    assert browser.get(callback_path(acme, url)).headers["Location"].startswith(f"{return_to}?code=")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": ""}, {"code_challenge_method": "plain"}, {"code_challenge": "too-short"},
        {"state": "x" * 501}, {"state": "\x00"},
    ],
)  # fmt: skip
def test_I41_apps_must_use_pkce(app_with_apps: Flask, acme: FakeProvider, changes: dict[str, str]) -> None:
    refused = start(FormBrowser(app_with_apps), **changes)

    assert (refused.status_code, "Location" in refused.headers) == (400, False)
    assert start(FormBrowser(app_with_apps), code_challenge_method="S256").status_code == 303


@pytest.mark.both
def test_I42_a_code_is_redeemed_once(app_with_apps: Flask, acme: FakeProvider) -> None:
    link_identity(app_with_apps, make_user(app_with_apps, email=EMAIL))
    code = come_back(app_with_apps, acme)["code"]
    assert redeem(app_with_apps, code, "another-verifier-that-is-long-enough-for-the-rule").status_code == 400
    assert redeem(app_with_apps, f"{code}x").status_code == 400

    with ThreadPoolExecutor(10) as pool:
        statuses = sorted(pool.map(lambda _number: redeem(app_with_apps, code).status_code, range(10)))

    assert statuses == [200] + [400] * 9
    assert redeem(app_with_apps, code).get_json()["code"] == "visit_expired"
    assert fetch_number(app_with_apps, "SELECT count(*) FROM login_sessions") == 1


def test_I42_a_code_is_valid_for_a_minute(
    app_with_apps: Flask, acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = come_back(app_with_apps, acme)["code"]
    move_clock(monkeypatch, timedelta(seconds=61))

    assert redeem(app_with_apps, code).status_code == 400


def test_an_app_gets_our_words_about_an_error(app_with_apps: Flask, acme: FakeProvider) -> None:
    browser = FormBrowser(app_with_apps)
    url = start(browser).headers["Location"]
    answer = {"error": "access_denied", "error_description": "<b>theirs</b>", "code": None}
    response = browser.get(callback_path(acme, url, **answer))
    acme.is_down = True

    query = dict(parse_qsl(urlsplit(response.headers["Location"]).query))
    assert query == {"error": "provider_declined", "state": "of the app", "iss": "https://accounts.example.com"}
    assert start(FormBrowser(app_with_apps)).status_code == 303


def test_I43_no_secret_of_a_sign_in_is_logged_or_in_a_url_that_others_see(
    app_with_apps: Flask, acme: FakeProvider, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    link_identity(app_with_apps, make_user(app_with_apps, email=EMAIL))
    browser = FormBrowser(app_with_apps)
    path = callback_path(acme, start(browser).headers["Location"])
    returned = browser.get(path)
    code = dict(parse_qsl(urlsplit(returned.headers["Location"]).query))["code"]
    tokens = redeem(app_with_apps, code).get_json()

    written = "".join(capfd.readouterr()) + caplog.text
    secrets = [code, VERIFIER, tokens["access_token"], tokens["refresh_token"], *dict(parse_qsl(path)).values()]
    assert "session.started" in written
    assert [secret for secret in secrets if len(secret) > 20 and secret in written] == []
    assert returned.headers["Referrer-Policy"] == "no-referrer"
    assert "access_token" not in returned.headers["Location"]
    assert path.startswith(CALLBACK)
