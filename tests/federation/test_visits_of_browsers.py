"""Who begins a visit to a provider is who ends it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.fake_provider import SETTINGS, FakeProvider
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value
from tests.support.provider_visits import (
    CALLBACK,
    account_of,
    callback_path,
    come_back,
    continue_url,
    link_identity,
    start,
    visit,
)
from tests.support.second_factors import set_up_app
from tests.support.sql import execute_sql, fetch_number
from tests.support.statement_counter import record_statements
from userapi.core.db import db

EMAIL = "wren@customers.example.com"


@pytest.fixture
def linked(provider_app: Flask, acme: FakeProvider) -> int:
    """A user with the identity that the provider proves."""
    user_id = make_user(provider_app, email=EMAIL, email_verified=True)
    link_identity(provider_app, user_id)
    return user_id


def is_refused(response: object) -> bool:
    """Whether a callback signed no one in and set no cookie."""
    return (response.status_code, "Set-Cookie" in response.headers) == (400, False)


def test_I01_the_answer_to_a_visit_is_useless_in_another_browser(
    provider_app: Flask, acme: FakeProvider, linked: int
) -> None:
    thief = FormBrowser(provider_app)
    answer = callback_path(acme, start(thief))
    victim, other = FormBrowser(provider_app), FormBrowser(provider_app)
    start(other)

    for browser in (victim, other):
        refused = browser.get(answer)
        assert is_refused(refused), refused.headers
        assert account_of(browser) is None
    assert acme.urls("/token") == []
    assert thief.get(answer).status_code == 303


def test_I02_a_foreign_answer_does_not_spoil_the_own_visit(
    provider_app: Flask, acme: FakeProvider, linked: int
) -> None:
    victim, thief = FormBrowser(provider_app), FormBrowser(provider_app)
    own = start(victim)

    assert is_refused(victim.get(callback_path(acme, start(thief))))
    assert account_of(victim) is None

    assert come_back(victim, acme, own).status_code == 303
    assert account_of(victim)["id"] == linked


@pytest.mark.both
def test_I03_of_ten_requests_with_one_state_one_signs_in(provider_app: Flask, acme: FakeProvider, linked: int) -> None:
    browser = FormBrowser(provider_app)
    answer = callback_path(acme, start(browser))
    secret = browser.cookie("__Host-provider_visit").value

    def come_back_once(_number: int) -> int:
        client = provider_app.test_client()
        client.set_cookie("__Host-provider_visit", secret)
        return client.get(answer, headers={"Accept": "text/html"}).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(come_back_once, range(10)))

    assert sorted(statuses) == [303] + [400] * 9
    assert len(acme.urls("/token")) == 1
    assert fetch_number(provider_app, "SELECT count(*) FROM login_sessions") == 1


def test_I04_the_answer_of_one_provider_is_not_sent_to_another(
    make_app: Callable[..., Flask], acme: FakeProvider
) -> None:
    other = {name.replace("ACME", "OTHER"): value for name, value in SETTINGS.items() if "ACME" in name}
    app = make_app(**{**SETTINGS, **other, "PROVIDERS": "acme,other", "PROVIDER_OTHER_ISSUER": "https://other.example"})
    browser = FormBrowser(app)
    answer = callback_path(acme, start(browser))

    assert is_refused(browser.get(answer.replace(CALLBACK, "/auth/callback/other/")))
    assert acme.urls("/token") == []
    assert not any(url.startswith("https://other.example") for url, _fields in acme.requests)
    assert browser.get("/auth/callback/unknown/?state=x&code=y").status_code == 404


@pytest.mark.parametrize(
    "following",
    [
        "//evil.example", "/\\evil.example", "https://evil.example", "\\\\evil.example", "/%0a/evil.example",
        "javascript:alert(1)", "/\t/evil.example", "http:evil.example", "/ok//evil", "/account/@evil.example\r\nX: y",
        "/" + "a" * 1001,
    ],
)  # fmt: skip
def test_I39_only_paths_of_this_site_follow_a_sign_in(
    provider_app: Flask, acme: FakeProvider, linked: int, following: str
) -> None:
    browser = FormBrowser(provider_app)

    signed_in = visit(browser, acme, following)

    location = signed_in.headers["Location"]
    assert location == "/account/" or (location == "/%0a/evil.example"), location


def test_I40_what_a_provider_says_about_an_error_is_not_shown(
    provider_app: Flask, acme: FakeProvider, linked: int
) -> None:
    browser = FormBrowser(provider_app)
    answers = {
        "error": "access_denied",
        "error_description": '"><script>alert(1)</script>' + "x" * 10_000,
        "code": None,
    }
    refused = come_back(browser, acme, start(browser), **answers)

    assert (refused.status_code, "alert(1)" in refused.text, "access_denied" in refused.text) == (401, False, False)
    assert "Sign-in was cancelled" in refused.text
    assert f"{CALLBACK}?" not in refused.text
    assert "state=" not in refused.text


@pytest.mark.both
def test_a_sign_in_costs_eight_statements_and_no_transaction_while_the_provider_answers(
    provider_app: Flask, acme: FakeProvider, linked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = FormBrowser(provider_app)
    assert visit(browser, acme).status_code == 303  # the first use of the day is stored
    again = FormBrowser(provider_app)
    answer = callback_path(acme, start(again))
    open_transactions: list[bool] = []
    monkeypatch.setattr(acme, "_note", lambda url, _fields: open_transactions.append(db.session().in_transaction()))

    with record_statements(provider_app) as seen:
        assert again.get(answer).status_code == 303

    assert len(seen) <= 8, "\n".join(seen)
    assert open_transactions
    assert not any(open_transactions)


def test_I54_nothing_from_before_a_sign_in_is_valid_after_it(
    provider_app: Flask, acme: FakeProvider, linked: int
) -> None:
    browser = FormBrowser(provider_app)
    email = f"other.{EMAIL}"
    make_user(provider_app, email=email)
    browser.sign_in(email)
    before = {name: browser.cookie(name).value for name in ("__Host-access_token", "__Host-refresh_token")}
    url = start(browser)
    visitor = browser.cookie("__Host-visitor").value

    assert come_back(browser, acme, url).status_code == 303

    assert account_of(browser)["id"] == linked
    assert all(browser.cookie(name).value != value for name, value in before.items())
    assert browser.cookie("__Host-provider_visit") is None
    assert browser.cookie("__Host-visitor") is None or browser.cookie("__Host-visitor").value != visitor


def test_I55_many_visits_need_one_cookie(provider_app: Flask, acme: FakeProvider) -> None:
    browser = FormBrowser(provider_app)
    secrets = {start(browser) and browser.cookie("__Host-provider_visit").value for _ in range(5)}

    assert len(secrets) == 1


def test_I37_an_account_that_may_not_sign_in_is_declined_like_an_unknown_one(
    provider_app: Flask, acme: FakeProvider, linked: int
) -> None:
    execute_sql(provider_app, "UPDATE users SET is_active = false WHERE id = :id", id=linked)
    browser = FormBrowser(provider_app)

    assert visit(browser, acme).status_code == 401
    assert account_of(browser) is None


def test_a_button_needs_the_token_of_the_form(provider_app: Flask, acme: FakeProvider) -> None:
    browser = FormBrowser(provider_app)
    page = browser.get("/login/")

    assert hidden_value(page)
    assert browser.post("/login/acme/", {}).status_code == 403
    assert browser.get("/login/acme/").headers["Location"].startswith("/login/")
    assert acme.requests == []


@pytest.mark.parametrize("path", ["/register/acme/", "/link/acme/", "/link/acme/code/"])
def test_a_form_without_token_and_ticket_says_that_the_sign_in_has_expired(provider_app: Flask, path: str) -> None:
    refused = FormBrowser(provider_app).post(path, {})

    assert (refused.status_code, "Sign-in expired" in refused.text) == (400, True)


def test_without_providers_there_is_no_button_and_every_path_is_unknown(app: Flask) -> None:
    browser = FormBrowser(app)
    page = browser.get("/login/")

    assert "Continue with" not in page.text
    assert browser.post("/login/acme/", {"csrf_token": hidden_value(page)}).status_code == 404
    assert browser.get("/auth/start/acme/").status_code == 404
    assert browser.get("/auth/callback/acme/?state=x").status_code == 404
    assert (browser.get("/register/acme/").status_code, browser.get("/link/acme/").status_code) == (404, 404)
    assert browser.client.get("/userapi/auth/providers/").get_json() == {"results": []}


def test_pages_without_a_ticket_and_answers_without_a_state_count_as_no_guess(
    make_app: Callable[..., Flask], acme: FakeProvider
) -> None:
    app = make_app(**SETTINGS, RATELIMIT_ENABLED="true", RATELIMIT_PROVIDER_ANSWER="1 per hour")
    browser = FormBrowser(app)

    for path in ("/register/acme/", "/link/acme/", CALLBACK) * 2:
        assert browser.get(path).status_code == 400
    assert visit(browser, acme).headers["Location"] == "/register/acme/"


def test_sign_ins_that_succeed_do_not_count_as_started(make_app: Callable[..., Flask], acme: FakeProvider) -> None:
    app = make_app(**SETTINGS, RATELIMIT_ENABLED="true", RATELIMIT_PROVIDER_START="1 per hour")
    link_identity(app, make_user(app, email=EMAIL))

    for _user in range(3):
        assert visit(FormBrowser(app), acme).headers["Location"] == "/account/"
    browser = FormBrowser(app)
    start(browser)
    assert browser.send("/login/acme/", {}, form_on="/login/").status_code == 429


def test_a_head_request_does_not_use_up_the_answer(provider_app: Flask, acme: FakeProvider, linked: int) -> None:
    browser = FormBrowser(provider_app)
    path = callback_path(acme, start(browser))

    assert browser.client.head(path, headers=BROWSER_HEADERS).status_code == 405
    assert browser.get(path).headers["Location"] == "/account/"


@pytest.mark.parametrize("has_second_step", [False, True])
def test_I54_the_secret_of_the_visit_ends_with_its_answer(
    provider_app: Flask, acme: FakeProvider, linked: int, has_second_step: bool
) -> None:
    if has_second_step:
        set_up_app(provider_app, linked)
    else:
        acme.claims = {"sub": "another one"}
    browser = FormBrowser(provider_app)

    assert visit(browser, acme).headers["Location"] in ("/login/second-step/", "/register/acme/")

    assert browser.cookie("__Host-provider_visit") is None


def test_the_languages_of_an_error_page_do_not_repeat_the_answer(provider_app: Flask, acme: FakeProvider) -> None:
    page = come_back(FormBrowser(provider_app), acme, start(FormBrowser(provider_app)))

    assert (page.status_code, 'href="/?lang=de"' in page.text, 'href="?lang=de"' in page.text) == (400, True, False)


def test_I26_a_ticket_of_one_provider_opens_no_page_of_another(
    make_app: Callable[..., Flask], acme: FakeProvider
) -> None:
    beta = {name.replace("ACME", "BETA"): value for name, value in SETTINGS.items() if "ACME" in name}
    app = make_app(**{**SETTINGS, **beta, "PROVIDERS": "acme,beta"})
    browser = FormBrowser(app)

    assert visit(browser, acme).headers["Location"] == "/register/acme/"

    assert browser.get("/register/acme/").status_code == 200
    assert browser.get("/register/beta/").status_code == 400


def test_a_button_on_another_host_leads_to_the_host_that_the_provider_comes_back_to(
    provider_app: Flask, acme: FakeProvider, linked: int
) -> None:
    browser = FormBrowser(provider_app)
    shown = hidden_value(browser.get("/login/"))
    here, there = "https://accounts.example.com", "https://127.0.0.1:8000"

    def press(origin: str, path: str = "/login/acme/", **fields: str) -> str:
        sent = {"csrf_token": shown, **fields}
        return continue_url(browser.client.post(path, data=sent, headers={**BROWSER_HEADERS, "Origin": origin}))

    assert press(there, next="/account/devices/") == f"{here}/login/?next=/account/devices/"
    assert browser.cookie("__Host-provider_visit") is None
    assert press("null").startswith(acme.issuer)
    come_back(browser, acme, press(here))
    assert account_of(browser)["id"] == linked
    shown = hidden_value(browser.get("/account/security/"))
    assert press(there, "/account/security/identities/acme/") == f"{here}/account/security/"
