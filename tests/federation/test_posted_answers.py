"""Answers that a provider's page posts, as Apple does: they come from another site, without the browser's cookies."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.fake_provider import FakeProvider
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, input_value
from tests.support.id_tokens import EC
from tests.support.misbehaving_provider import misbehaving_provider, settings_for, use_providers
from tests.support.preset_facts import APPLE, APPLE_USER
from tests.support.provider_visits import continue_url

CALLBACK = "/auth/callback/apple/"
CROSS_SITE = {"Origin": "https://appleid.apple.com", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def apple() -> Iterator[FakeProvider]:
    """A server on this machine that answers as Apple does."""
    with misbehaving_provider() as provider:
        provider.claims = APPLE
        yield provider


@pytest.fixture
def firefox(app: Flask, apple: FakeProvider) -> FormBrowser:
    """A browser of an application whose users can sign in with Apple."""
    pem = EC.as_pem(private=True).decode()
    use_providers(app, **settings_for(apple.issuer, "apple", TEAM_ID="DEF123GHIJ", KEY_ID="ABC123DEFG", KEY=pem))
    return FormBrowser(app)


def start(browser: FormBrowser) -> str:
    """Press the button of Apple; the URL that the browser goes to."""
    return continue_url(browser.send("/login/apple/", form_on="/login/"))


def post_answer(client: FlaskClient, apple: FakeProvider, url: str, user: str = "") -> TestResponse:
    """Sign in at Apple, whose page posts the answer; a client without cookies stands for the cross-site request."""
    fields = {**apple.visit(url), **({"user": user} if user else {})}
    return client.post(CALLBACK, data=fields, headers=BROWSER_HEADERS | CROSS_SITE)


def test_I44_the_posted_answer_becomes_a_request_with_the_cookies_of_the_browser(
    app: Flask, firefox: FormBrowser, apple: FakeProvider
) -> None:
    url = start(firefox)
    posted = post_answer(app.test_client(), apple, url, APPLE_USER)
    target = urlsplit(posted.headers["Location"])

    assert (posted.status_code, target.netloc, target.path) == (303, "", CALLBACK)
    assert parse_qs(urlsplit(url).query)["response_mode"] == ["form_post"]
    assert parse_qs(target.query).keys() == {"code", "state", "iss"}
    assert "Set-Cookie" not in posted.headers
    assert apple.urls("/token") == []

    assert FormBrowser(app).get(posted.headers["Location"]).status_code == 400
    assert firefox.get(posted.headers["Location"]).headers["Location"] == "/register/apple/"
    page = firefox.get("/register/apple/")
    assert [input_value(page, name) for name in ("first_name", "last_name")] == ["Jane", "Smith"]
    assert input_value(page, "email") == APPLE["email"]


def test_I44_later_answers_without_a_name_work(app: Flask, firefox: FormBrowser, apple: FakeProvider) -> None:
    posted = post_answer(app.test_client(), apple, start(firefox))

    assert firefox.get(posted.headers["Location"]).headers["Location"] == "/register/apple/"


@pytest.mark.parametrize(
    ("user", "status"),
    [
        pytest.param('{"name":{"firstName":"Jane"},"email":"victim@example.com","sub":"1"}', 303, id="forged"),
        pytest.param("[" * 9_000, 303, id="deep"),
        pytest.param("x" * 2_000_000, 413, id="two megabytes"),
    ],
)
def test_I44_what_is_posted_as_the_user_changes_neither_identity_nor_email(
    app: Flask, firefox: FormBrowser, apple: FakeProvider, user: str, status: int
) -> None:
    posted = post_answer(app.test_client(), apple, start(firefox), user)
    assert posted.status_code == status
    if status == 303:
        firefox.get(posted.headers["Location"])
        assert input_value(firefox.get("/register/apple/"), "email") == APPLE["email"]


def test_I44_other_providers_cannot_post_their_answers(app: Flask) -> None:
    use_providers(app, **settings_for("http://127.0.0.1:9"))
    posted = app.test_client().post(
        "/auth/callback/acme/", data={"state": "s", "code": "c"}, headers=BROWSER_HEADERS | CROSS_SITE
    )

    assert posted.status_code == 400
