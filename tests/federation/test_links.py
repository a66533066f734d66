"""Linking identities to an account, and unlinking them."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import make_user
from tests.support.fake_provider import SETTINGS, FakeProvider
from tests.support.form_browser import BROWSER_HEADERS, FormBrowser, hidden_value
from tests.support.provider_visits import (
    account_of,
    callback_path,
    come_back,
    continue_url,
    link_identity,
    visit,
)
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.staff_imports import move_clock
from userapi.core.db import db
from userapi.federation.visits import compute_challenge

BACK, VERIFIER = "https://app.example.com/linked", "a-verifier-of-the-app-that-no-one-else-has-00"
IDENTITIES = "/userapi/auth/identities/"
WANTED = {"provider": "acme", "return_to": BACK, "code_challenge": compute_challenge(VERIFIER), "state": "s"}
LINK = "/account/security/identities/acme/"


@pytest.fixture
def app(make_app: Callable[..., Flask], acme: FakeProvider) -> Flask:
    """An application whose users can link a provider."""
    return make_app(**SETTINGS, PROVIDER_RETURN_URLS=BACK)


def make_api_user(app: Flask, email: str) -> ApiUser:
    user_id = make_user(app, email=email, email_verified=True)
    return ApiUser(app.test_client(), user_id, email, "", sign_in(app, email))


@pytest.fixture
def wren(app: Flask) -> ApiUser:
    """A user of an app."""
    return make_api_user(app, "wren@customers.example.com")


@pytest.fixture
def mallory(app: Flask) -> ApiUser:
    """Another one."""
    return make_api_user(app, "mallory@customers.example.com")


def get_code(user: ApiUser, acme: FakeProvider, browser: FormBrowser | None = None) -> str:
    """Start a link, and send the user's browser to the provider; the code that it comes back with."""
    started = user.post(IDENTITIES, json=WANTED)
    assert started.status_code == 201, started.text
    browser = browser or FormBrowser(user.client.application)
    there = browser.get(started.get_json()["start_url"].removeprefix(SETTINGS["SITE_URL"]))
    assert there.status_code == 303, there.text
    back = browser.get(callback_path(acme, there.headers["Location"]))
    return dict(parse_qsl(urlsplit(back.headers["Location"]).query))["code"]


def confirm(user: ApiUser, code: str, verifier: str = VERIFIER) -> TestResponse:
    return user.post(f"{IDENTITIES}confirm/", json={"code": code, "code_verifier": verifier})


def press(browser: FormBrowser, path: str) -> TestResponse:
    """Press a button on the security page."""
    page = browser.get("/account/security/")
    return browser.post(path, {"csrf_token": hidden_value(page), "form_id": hidden_value(page, "form_id")})


def test_an_app_links_an_identity(app: Flask, wren: ApiUser, acme: FakeProvider) -> None:
    code = get_code(wren, acme)
    assert wren.get(IDENTITIES).get_json() == {"results": []}

    linked = confirm(wren, code)

    assert linked.status_code == 201, linked.text
    assert {**linked.get_json(), "created_at": None, "last_used_at": None} == {
        "id": linked.get_json()["id"], "provider": "acme", "name": "Acme", "email": None, "created_at": None,
        "last_used_at": None, "can_unlink": True,
    }  # fmt: skip
    assert wren.get(IDENTITIES).get_json()["results"] == [linked.get_json()]
    assert confirm(wren, get_code(wren, acme)).get_json()["id"] == linked.get_json()["id"]
    assert len(emails_to(app, wren.email, "identity_linked")) == 1
    assert visit(FormBrowser(app), acme).headers["Location"] == "/account/"


def test_a_user_links_and_unlinks_an_identity_on_the_security_page(app: Flask, acme: FakeProvider) -> None:
    email = "wren@customers.example.com"
    user_id, browser = make_user(app, email=email), FormBrowser(app)
    browser.sign_in(email)
    assert "Add Acme" in browser.get("/account/security/").text

    done = come_back(browser, acme, continue_url(press(browser, LINK)))

    assert done.headers["Location"] == "/account/security/", done.text
    page = browser.get("/account/security/")
    assert ("You can now sign in with Acme" in page.text, "Add Acme" in page.text) == (True, False)
    (identity_id,) = fetch_rows(app, f"SELECT id FROM identities WHERE user_id = {user_id}")[0]
    other = FormBrowser(app)
    visit(other, acme)
    assert account_of(other)["id"] == user_id
    assert "with Acme" in browser.get("/account/devices/").text

    removed = press(browser, f"/account/security/identities/{identity_id}/unlink/")

    assert removed.headers["Location"] == "/account/security/", removed.text
    assert (account_of(other), account_of(browser)["id"]) == (None, user_id)
    assert len(emails_to(app, email, "identity_unlinked")) == 1


def test_a_link_succeeds_while_another_request_writes(app: Flask, acme: FakeProvider) -> None:
    if not app.config["DATABASE_URL"].startswith("sqlite"):
        pytest.skip("only SQLite has one write lock for all")
    email = "wren@customers.example.com"
    user_id, browser = make_user(app, email=email), FormBrowser(app)
    browser.sign_in(email)
    url = continue_url(press(browser, LINK))
    with app.app_context():
        engine = db.engine
    attempts: list[str] = []

    def write(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not attempts and statement.startswith("SELECT"):
            with closing(sqlite3.connect(str(engine.url.database), timeout=0)) as other:
                try:
                    other.execute("UPDATE users SET last_name = 'Changed'")
                    other.commit()
                    attempts.append("written")
                except sqlite3.OperationalError as error:
                    attempts.append(str(error))

    sa.event.listen(engine, "after_cursor_execute", write)
    done = come_back(browser, acme, url)
    sa.event.remove(engine, "after_cursor_execute", write)

    assert (done.status_code, attempts) == (303, ["database is locked"])
    assert fetch_number(app, f"SELECT count(*) FROM identities WHERE user_id = {user_id}") == 1


def test_I28_of_two_accounts_that_link_one_identity_one_gets_it(
    app: Flask, wren: ApiUser, mallory: ApiUser, acme: FakeProvider
) -> None:
    pairs = [(user, get_code(user, acme)) for user in (wren, mallory)]

    with ThreadPoolExecutor(2) as pool:
        responses = list(pool.map(lambda pair: confirm(*pair), pairs))

    assert sorted(response.status_code for response in responses) == [201, 409]
    assert {response.get_json().get("code") for response in responses} == {None, "identity_taken"}
    assert fetch_number(app, "SELECT count(*) FROM identities") == 1


def test_I29_a_link_that_an_attacker_began_is_refused_in_the_browser_of_the_victim(
    app: Flask, acme: FakeProvider
) -> None:
    make_user(app, email="mallory@customers.example.com")
    attacker, victim = FormBrowser(app), FormBrowser(app)
    attacker.sign_in("mallory@customers.example.com")
    url = continue_url(press(attacker, LINK))

    refused = come_back(victim, acme, url)

    assert (refused.status_code, fetch_number(app, "SELECT count(*) FROM identities")) == (400, 0)
    assert visit(victim, acme).headers["Location"] == "/register/acme/"


def test_I29_a_link_begun_before_another_user_signed_in_is_refused(app: Flask, acme: FakeProvider) -> None:
    for name in ("mallory", "wren"):
        make_user(app, email=f"{name}@customers.example.com")
    browser = FormBrowser(app)
    browser.sign_in("mallory@customers.example.com")
    url = continue_url(press(browser, LINK))
    browser.sign_in("wren@customers.example.com")

    assert come_back(browser, acme, url).status_code == 400
    assert fetch_number(app, "SELECT count(*) FROM identities") == 0


def test_I30_the_code_of_a_link_is_of_use_to_who_began_it_alone(
    app: Flask, wren: ApiUser, mallory: ApiUser, acme: FakeProvider
) -> None:
    code = get_code(mallory, acme)

    assert confirm(wren, code).get_json()["code"] == "visit_expired"
    assert confirm(mallory, code, "another-verifier-that-is-long-enough-for-the-rule").status_code == 400
    redeemed = app.test_client().post("/userapi/auth/providers/redeem/", json={"code": code, "code_verifier": VERIFIER})
    assert redeemed.status_code == 400
    assert fetch_number(app, "SELECT count(*) FROM identities") == 0
    assert confirm(mallory, code).status_code == 201


def test_I31_linking_and_unlinking_need_a_recent_proof(
    app: Flask, wren: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    link_identity(app, wren.id)
    identity_id = wren.get(IDENTITIES).get_json()["results"][0]["id"]
    move_clock(monkeypatch, timedelta(minutes=14, seconds=50))
    assert wren.post(IDENTITIES, json={**WANTED, "return_to": "x"}).status_code == 400

    move_clock(monkeypatch, timedelta(seconds=20))
    for refused in (wren.post(IDENTITIES, json=WANTED), wren.delete(f"{IDENTITIES}{identity_id}/")):
        assert (refused.status_code, refused.get_json()["code"]) == (403, "proof_needed")


def test_I32_a_link_is_not_started_by_a_get_or_another_site(app: Flask, acme: FakeProvider) -> None:
    make_user(app, email="wren@customers.example.com")
    browser = FormBrowser(app)
    browser.sign_in("wren@customers.example.com")

    assert browser.get(LINK).headers["Location"].startswith("/account/security/")
    assert browser.client.get(LINK).status_code == 405
    foreign = browser.client.post(LINK, headers={**BROWSER_HEADERS, "Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert browser.client.post(IDENTITIES, json=WANTED).status_code == 403
    assert acme.requests == []


@pytest.mark.both
def test_I33_the_last_way_in_stays_also_if_two_are_removed_at_the_same_time(app: Flask, wren: ApiUser) -> None:
    for subject in ("one", "two"):
        link_identity(app, wren.id, subject)
    execute_sql(app, "UPDATE users SET password_hash = NULL WHERE id = :id", id=wren.id)
    ids = [each["id"] for each in wren.get(IDENTITIES).get_json()["results"]]

    with ThreadPoolExecutor(2) as pool:
        gone = list(pool.map(lambda identity_id: wren.delete(f"{IDENTITIES}{identity_id}/"), ids))

    assert sorted(response.status_code for response in gone) == [204, 409]
    assert {response.get_json()["code"] for response in gone if response.status_code == 409} == {"last_way_in"}
    (left,) = wren.get(IDENTITIES).get_json()["results"]
    assert left["can_unlink"] is False


def test_I34_an_unlinked_identity_signs_in_no_more_and_its_sessions_end(
    app: Flask, wren: ApiUser, mallory: ApiUser, acme: FakeProvider
) -> None:
    link_identity(app, wren.id)
    browser = FormBrowser(app)
    visit(browser, acme)
    assert account_of(browser)["id"] == wren.id
    (identity_id,) = [each["id"] for each in wren.get(IDENTITIES).get_json()["results"]]

    assert mallory.delete(f"{IDENTITIES}{identity_id}/").status_code == 404
    assert wren.delete(f"{IDENTITIES}{identity_id}/").status_code == 204

    assert account_of(browser) is None
    assert wren.get(IDENTITIES).status_code == 200
    assert visit(FormBrowser(app), acme).headers["Location"] == "/register/acme/"


def test_I53_an_identity_of_a_provider_that_was_removed_can_be_unlinked(app: Flask, wren: ApiUser) -> None:
    link_identity(app, wren.id)
    app.config["PROVIDERS"] = ()

    (listed,) = wren.get(IDENTITIES).get_json()["results"]
    assert listed["name"] == "acme"
    assert wren.post(IDENTITIES, json=WANTED).get_json()["code"] == "unknown_provider"
    assert wren.delete(f"{IDENTITIES}{listed['id']}/").status_code == 204


def test_I33_an_identity_of_a_provider_that_was_removed_is_no_way_in(app: Flask, wren: ApiUser) -> None:
    link_identity(app, wren.id)
    link_identity(app, wren.id, issuer="https://removed.example.com")
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    first, removed = wren.get(IDENTITIES).get_json()["results"]
    assert (first["can_unlink"], removed["can_unlink"]) == (False, True)

    refused = wren.delete(f"{IDENTITIES}{first['id']}/")

    assert (refused.status_code, refused.get_json()["code"]) == (409, "last_way_in")
    assert wren.delete(f"{IDENTITIES}{removed['id']}/").status_code == 204


def test_the_id_of_an_identity_is_never_used_again(app: Flask, wren: ApiUser) -> None:
    link_identity(app, wren.id)
    (first,) = wren.get(IDENTITIES).get_json()["results"]
    assert wren.delete(f"{IDENTITIES}{first['id']}/").status_code == 204

    link_identity(app, wren.id)

    assert wren.get(IDENTITIES).get_json()["results"][0]["id"] > first["id"]
