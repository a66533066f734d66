"""Apple: its issuer may change, and the names that come with the first form only fill in a form."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from tests.support.fake_provider import CLIENT_ID, FakeProvider
from tests.support.form_browser import FormBrowser, input_value
from tests.support.provider_visits import account_of, start
from tests.support.visits import answer, begin, prove
from userapi.federation import visits
from userapi.federation.assertions import read_name


@pytest.fixture
def apple_app(make_app: Callable[..., Flask], acme: FakeProvider) -> Flask:
    """An application whose users sign in with Apple."""
    acme.issuer = "https://appleid.apple.com"
    key = ec.generate_private_key(ec.SECP256R1())
    return make_app(
        SITE_URL="https://accounts.example.com",
        PROVIDERS="apple",
        PROVIDER_APPLE_CLIENT_ID=CLIENT_ID,
        PROVIDER_APPLE_TEAM_ID="TEAM42",
        PROVIDER_APPLE_KEY_ID="ABC123",
        PROVIDER_APPLE_KEY=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )


def test_I44_apple_may_change_its_issuer(apple_app: Flask, acme: FakeProvider) -> None:
    acme.claims = {"iss": "https://account.apple.com"}

    assert prove(apple_app, acme, "apple").issuer == "https://appleid.apple.com"


def test_I44_the_names_of_the_first_form_fill_in_a_form_and_prove_nothing(apple_app: Flask, acme: FakeProvider) -> None:
    first, second = begin(apple_app, "apple"), begin(apple_app, "apple")
    with apple_app.test_request_context():
        provider = apple_app.config["PROVIDERS"][0]
        visits.keep_name(provider, first.state, " Wren ", "Okafor")
        visits.keep_name(provider, first.state, "Second", "Form")

    with_name = answer(apple_app, acme.visit(first.url), "apple")
    without = answer(apple_app, acme.visit(second.url), "apple")

    assert (with_name.first_name, with_name.last_name) == ("Wren", "Okafor")
    assert (without.first_name, without.last_name) == ("", "")
    assert with_name.subject == without.subject


@pytest.mark.parametrize(
    ("user", "names"),
    [
        ('{"name": {"firstName": "Wren", "lastName": "Okafor"}, "email": "victim@example.org"}', ("Wren", "Okafor")),
        ('{"name": {"firstName": ["Wren"], "lastName": "a\\u0000b"}}', ("", "")),
        ('{"name": "Wren"}', ("", "")),
        ("[]", ("", "")),
        ("{", ("", "")),
        ("", ("", "")),
        ('{"name": {"firstName": "' + "x" * 20_000 + '"}}', ("", "")),
        ("[" * 9000, ("", "")),
    ],
)
def test_I44_a_forged_user_of_apple_is_at_most_a_name(user: str, names: tuple[str, str]) -> None:
    assert read_name(user) == names


def test_I44_the_form_of_apple_leads_to_the_callback_where_the_cookie_decides(
    apple_app: Flask, acme: FakeProvider
) -> None:
    callback, browser = "/auth/callback/apple/", FormBrowser(apple_app)
    user = '{"name": {"firstName": "Wren", "lastName": "Okafor"}, "email": "victim@example.org"}'
    form = {**acme.visit(start(browser, provider_id="apple")), "user": user}
    headers = {"Accept": "text/html", "Origin": "https://appleid.apple.com", "Sec-Fetch-Site": "cross-site"}

    posted = apple_app.test_client().post(callback, data=form, headers=headers)

    assert (posted.status_code, "Set-Cookie" in posted.headers) == (303, False), posted.text
    answer_by_get = posted.headers["Location"]
    assert answer_by_get.startswith(f"{callback}?")
    assert "Wren" not in answer_by_get
    assert FormBrowser(apple_app).get(answer_by_get).status_code == 400
    assert browser.get(answer_by_get).headers["Location"] == "/register/apple/"
    page = browser.get("/register/apple/")
    assert (input_value(page, "first_name"), "victim@example.org" in page.text) == ("Wren", False)
    too_large = apple_app.test_client().post(callback, data={**form, "user": "x" * 1_100_000}, headers=headers)
    assert (too_large.status_code, account_of(browser)) == (413, None)


def test_I44_other_providers_send_no_forms(provider_app: Flask, acme: FakeProvider) -> None:
    form = acme.visit(start(FormBrowser(provider_app)))

    assert provider_app.test_client().post("/auth/callback/acme/", data=form).status_code == 400
