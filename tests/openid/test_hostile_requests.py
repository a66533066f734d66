"""Requests that attackers make up, and what has changed between the steps of a sign-in."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.impersonation import begin
from tests.support.race import run_simultaneously
from tests.support.relying_party import RelyingParty, answer_of, make_client
from tests.support.sql import execute_sql, fetch_number
from userapi.core import clock
from userapi.core.db import db
from userapi.openid.client_checks import Grant

OTHER = '["https://other.example.com/callback"]'


def withdraw(user: FormBrowser, client: RelyingParty) -> None:
    """End the access of a client on the page of the account."""
    fields = {"csrf_token": hidden_value(user.get("/account/apps/"))}
    assert user.post(f"/account/apps/{client.client_id}/withdraw/", fields).status_code == 303


@pytest.mark.both
@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "scope", "state", "nonce", "login_hint", "ui_locales"])
def test_Q03_a_parameter_that_no_database_stores_is_shown_here(
    name: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    response = signed_in.get(handbook.request(**{name: "openid a\x00b"}))

    assert (response.status_code, "Location" in response.headers) == (400, False)


def test_the_page_of_applications_says_that_there_are_none(signed_in: FormBrowser) -> None:
    response = signed_in.get("/account/apps/")

    assert response.status_code == 200
    assert "No application has access" in response.text


@pytest.mark.both
def test_Q53_a_value_that_no_database_stores_is_rejected(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    pushed = handbook.post("/oauth/par/", {"response_type": "code", "state": "a\x00b"})
    signed_out = signed_in.get("/oauth/logout/?client_id=a%00b")
    handbook.authorize(signed_in)
    fields = {"csrf_token": hidden_value(signed_in.get("/account/apps/"))}
    withdrawn = signed_in.post("/account/apps/a%00b/withdraw/", fields)

    assert [each.status_code for each in (pushed, signed_out, withdrawn)] == [400, 400, 404]


@pytest.mark.both
def test_Q18_a_code_and_an_approved_device_end_with_the_access_that_is_withdrawn(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    tv = make_client(app, name="TV", kind="native", redirect_uris=[], grants=[Grant.DEVICE.value])
    code = handbook.authorize(signed_in)["code"]
    started = tv.post("/oauth/device/", {"scope": "openid"}).get_json()
    path = f"/device/{started['user_code']}/"
    signed_in.post(path, {"allow": "1", "csrf_token": hidden_value(signed_in.get(path))})

    withdraw(signed_in, handbook)
    withdraw(signed_in, tv)

    assert handbook.exchange(code).get_json()["error"] == "invalid_grant"
    form = {"grant_type": Grant.DEVICE.value, "device_code": started["device_code"]}
    assert tv.post("/oauth/token/", form).get_json()["error"] == "access_denied"


@pytest.mark.both
def test_Q18_withdrawing_beside_a_sign_in_leaves_no_tokens(
    app: Flask, email: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    other_tab = FormBrowser(app)
    other_tab.sign_in(email)

    def sign_in_again() -> TestResponse | None:
        answer = answer_of(other_tab.get(handbook.request(prompt="none")))
        return handbook.exchange(answer["code"]) if "code" in answer else None

    for _round in range(6):
        handbook.authorize(signed_in)
        exchanged, _left = run_simultaneously([sign_in_again, partial(withdraw, signed_in, handbook)])

        if exchanged is not None and exchanged.status_code == 200:
            assert handbook.userinfo(exchanged.get_json()["access_token"]).status_code == 401


@pytest.mark.both
def test_Q18_a_code_that_was_issued_while_the_consent_was_withdrawn_gives_no_tokens(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    code = handbook.authorize(signed_in)["code"]
    withdraw(signed_in, handbook)
    later = clock.now() + timedelta(minutes=1)
    execute_sql(app, "UPDATE openid_authorizations SET code_expires_at = :later", later=later)

    exchanged = handbook.exchange(code)

    assert (exchanged.status_code, exchanged.get_json()["error"]) == (400, "invalid_grant")
    assert fetch_number(app, "SELECT count(*) FROM openid_token_families") == 0


@pytest.mark.both
@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM openid_consents", "UPDATE login_sessions SET ended_at = created_at"],
    ids=["withdrawal", "sign-out"],
)
def test_Q18_Q41_an_exchange_waits_for_what_ends_it(
    statement: str, app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    code = handbook.authorize(signed_in)["code"]
    with ThreadPoolExecutor(1) as pool:
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(sa.text(statement))
            exchanging = pool.submit(handbook.exchange, code)
            with pytest.raises(TimeoutError):
                exchanging.result(timeout=0.5)  # the other transaction is not committed yet

        assert exchanging.result().get_json()["error"] == "invalid_grant"


def test_Q34_no_code_is_sent_to_or_exchanged_for_a_redirect_uri_that_has_been_removed(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    code, verifier = handbook.authorize(signed_in)["code"], handbook.verifier
    path = signed_in.get(handbook.request(prompt="consent")).headers["Location"]
    form = {"allow": "1", "csrf_token": hidden_value(signed_in.get(path))}
    pushed = handbook.push(scope="openid").get_json()["request_uri"]

    execute_sql(app, "UPDATE openid_clients SET redirect_uris = :other", other=OTHER)

    shown, submitted = signed_in.get(path), signed_in.post(path, form)
    assert [shown.status_code, submitted.status_code] == [410, 410]
    response = signed_in.get(f"/oauth/authorize/?client_id={handbook.client_id}&request_uri={pushed}")
    assert (response.status_code, "Location" in response.headers) == (400, False)
    assert handbook.exchange(code, code_verifier=verifier).get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "name", ["Hand\u061cbook", "Hand\u00adbook", "Hand\u3164book", "\u3164", "Hand\u2028book", "\U000e0041Handbook"]
)
def test_Q16_a_name_has_no_character_that_is_not_shown(name: str, app: Flask) -> None:
    with pytest.raises(Exception, match="Some fields"):
        make_client(app, name=name)


@pytest.mark.parametrize(
    "host", ["a.example;x", "a.example,x", "'none'", "a.example&x", "*.example", "a.example:x", "[::1", "a_b@c.example"]
)
def test_Q01_the_host_of_a_redirect_uri_is_a_host(host: str, app: Flask) -> None:
    with pytest.raises(Exception, match="Some fields"):
        make_client(app, redirect_uris=[f"https://{host}/callback"])


@pytest.mark.parametrize(
    ("redirect_uri", "target"),
    [
        ("https://handbook.example.com:8443/callback?a=1", "https://handbook.example.com:8443"),
        ("http://[::1]:8000/callback", "http:"),
        ("com.example.app:/callback", "com.example.app:"),
    ],
)
def test_Q52_the_page_that_submits_the_answer_may_do_so_to_the_client_only(
    redirect_uri: str, target: str, app: Flask, signed_in: FormBrowser
) -> None:
    native = make_client(app, kind="native", redirect_uris=[redirect_uri])

    response = signed_in.get(native.request(prompt="none", response_mode="form_post"))

    policy = dict(each.strip().partition(" ")[::2] for each in response.headers["Content-Security-Policy"].split(";"))
    assert policy["form-action"] == target
    assert policy["frame-ancestors"] == "'none'"
    assert 'value="state of the client"' in response.text


def test_Q19_staff_who_act_as_a_user_get_no_code_and_a_request_without_pages_gets_the_error(
    make_app: object,
) -> None:
    app: Flask = make_app(IMPERSONATION="true")  # type: ignore[operator]
    running, handbook = begin(app), make_client(app)

    page = running.support.get(handbook.request())
    answer = answer_of(running.support.get(handbook.request(prompt="none")))

    assert (page.status_code, "Location" in page.headers) == (403, False)
    assert answer["error"] == "interaction_required"


def test_Q50_no_sign_in_leads_to_another_site_or_to_another_account(
    app: Flask, email: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    evil = ("//evil.example", "https://evil.example", "\\\\evil.example", "/%5cevil.example", "javascript:alert(1)")
    nested = f"/oauth/authorize/?client_id={handbook.client_id}&response_type=code&redirect_uri="
    for path in (
        *evil, *(nested + quote(each) for each in evil), "/oauth/consent/../../evil", "/oauth/consent//evil.example/",
        "/oauth/logout/?post_logout_redirect_uri=https://evil.example", "/oauth/authorize/\t//evil.example",
        "/oauth/authorize/@evil.example", "/oauth/authorize/#//evil.example", "/.//evil.example", "////evil.example",
    ):  # fmt: skip
        visitor = FormBrowser(app)
        response = visitor.sign_in(email, next=path)
        for _step in range(5):
            location = response.headers.get("Location")
            if location is None:
                break
            parts = urlsplit(location)
            assert (parts.scheme, parts.netloc) == ("", ""), (path, location)
            assert "\\" not in location, path
            response = visitor.get(location)
        assert "evil" not in response.headers.get("Location", ""), path
        assert "http-equiv" not in response.text, path


def test_Q50_the_request_of_another_browser_signs_no_one_in(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    path = signed_in.get(handbook.request()).headers["Location"]
    visitor = FormBrowser(app)

    response = visitor.get(path)

    assert urlsplit(response.headers["Location"]).path == "/login/"
    assert visitor.cookie("access_token") is None
    assert "code=" not in response.headers["Location"]
