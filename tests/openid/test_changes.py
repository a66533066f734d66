"""What has changed or is missing when a request, a code or a token is used."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.factories import make_user, new_user
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.relying_party import RelyingParty, answer_of, claims_of, make_client
from tests.support.sql import execute_sql
from userapi.core import clock


def other_user(app: Flask) -> FormBrowser:
    """The browser of another user, who is signed in."""
    address = str(new_user()["email"])
    make_user(app, email=address)
    browser = FormBrowser(app)
    browser.sign_in(address)
    return browser


def test_Q10_Q19_a_session_that_is_only_for_setting_up_a_second_step_gives_no_tokens(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    code = handbook.authorize(signed_in)["code"]
    verifier = handbook.verifier
    execute_sql(app, "UPDATE login_sessions SET for_set_up = true")

    without_pages = answer_of(signed_in.get(handbook.request(prompt="none")))
    with_pages = signed_in.get(handbook.request()).headers["Location"]

    assert without_pages["error"] == "interaction_required"
    assert with_pages.startswith("/oauth/consent/")
    assert signed_in.get(with_pages).status_code != 200
    assert "code=" not in signed_in.get(with_pages).headers.get("Location", "")
    assert handbook.exchange(code, code_verifier=verifier).get_json()["error"] == "invalid_grant"


@pytest.mark.parametrize(("seconds", "status"), [(8, 200), (12, 400)])
def test_Q27_a_used_refresh_token_is_accepted_for_ten_seconds(
    seconds: int, status: int, app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    first = handbook.sign_in(signed_in)
    second = handbook.refresh(first["refresh_token"]).get_json()
    then = clock.now() - timedelta(seconds=seconds)
    execute_sql(app, "UPDATE openid_token_families SET refreshed_at = :then", then=then)

    assert handbook.refresh(first["refresh_token"]).status_code == status
    assert handbook.refresh(second["refresh_token"]).status_code == status
    assert handbook.userinfo(second["access_token"]).status_code == (200 if status == 200 else 401)


def test_Q31_a_used_refresh_token_is_not_active(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    first = handbook.sign_in(signed_in)
    second = handbook.refresh(first["refresh_token"]).get_json()

    assert handbook.introspect(first["refresh_token"]) == {"active": False}
    assert handbook.introspect(second["refresh_token"])["active"] is True


def test_Q19_Q35_the_id_token_of_another_client_is_no_hint(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    wiki = make_client(app, name="Wiki")
    token = handbook.sign_in(signed_in)["id_token"]

    assert answer_of(signed_in.get(wiki.request(id_token_hint=token)))["error"] == "invalid_request"
    assert signed_in.get(f"/oauth/logout/?id_token_hint={token}&client_id={wiki.client_id}").status_code == 400
    execute_sql(app, "UPDATE openid_clients SET disabled_at = created_at")
    assert signed_in.get(f"/oauth/logout/?id_token_hint={token}").status_code == 400


def test_Q20_a_form_that_was_made_up_and_a_proof_in_another_browser_do_not_replace_the_proof(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    handbook.authorize(signed_in)
    execute_sql(app, "UPDATE login_sessions SET proved_at = :then", then=clock.now() - timedelta(minutes=5))
    path = signed_in.get(handbook.request(prompt="login")).headers["Location"]
    assert signed_in.get(path).headers["Location"].startswith("/prove/")

    made_up = signed_in.post(path, {"allow": "1", "csrf_token": hidden_value(signed_in.get("/account/apps/"))})
    assert (made_up.status_code, "http-equiv" in made_up.text) == (400, False)
    execute_sql(app, "UPDATE openid_authorizations SET created_at = :then", then=clock.now() + timedelta(minutes=1))
    execute_sql(app, "UPDATE login_sessions SET proved_at = :then", then=clock.now() + timedelta(minutes=2))
    assert signed_in.get(path).headers["Location"].startswith("/prove/")


def test_Q31_tokens_are_for_the_resource_of_the_request_only(app: Flask, signed_in: FormBrowser) -> None:
    first, second = "https://reports.example.com", "https://orders.example.com"
    handbook = make_client(app, resources=[first, second])
    tokens = handbook.sign_in(signed_in, resource=first)

    widened = handbook.refresh(tokens["refresh_token"], resource=second)

    assert (widened.status_code, widened.get_json()["error"]) == (400, "invalid_target")
    assert handbook.refresh(tokens["refresh_token"], resource=first).status_code == 200


def test_Q18_an_app_with_a_scheme_of_its_own_is_allowed_each_time(app: Flask, signed_in: FormBrowser) -> None:
    native = make_client(app, kind="native", redirect_uris=["com.example.app:/callback"])
    native.authorize(signed_in)

    assert signed_in.get(native.request()).headers["Location"].startswith("/oauth/consent/")
    assert answer_of(signed_in.get(native.request(prompt="none")))["error"] == "consent_required"


def test_Q18_a_client_may_require_consent_again(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    handbook.authorize(signed_in)

    assert signed_in.get(handbook.request(prompt="consent")).headers["Location"].startswith("/oauth/consent/")


def test_Q15_another_user_does_not_release_a_request(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    path = signed_in.get(handbook.request()).headers["Location"]
    signed_in.get(path)
    other, third = other_user(app), other_user(app)

    other.post(f"{path}switch/", {"csrf_token": hidden_value(other.get("/logout/"))})

    assert third.get(path).status_code == 410
    assert signed_in.get(path).status_code == 200


@pytest.mark.parametrize("by", ["user", "address"])
def test_Q42_wrong_codes_are_limited_by_user_and_by_ip_address(by: str, app: Flask, signed_in: FormBrowser) -> None:
    browsers = [signed_in] if by == "user" else [signed_in, other_user(app)]
    app.config["RATELIMIT_ENABLED"] = True

    statuses = [
        browsers[index % len(browsers)]
        .get("/device/BCDF-GHJK/", environ_overrides={"REMOTE_ADDR": f"203.0.113.{index if by == 'user' else 1}"})
        .status_code
        for index in range(12)
    ]

    assert (statuses[0], statuses[-1]) == (404, 429)


def test_the_lifetime_of_tokens_ends_with_the_session(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    code, ends_at = handbook.authorize(signed_in)["code"], clock.now() + timedelta(seconds=60)
    execute_sql(app, "UPDATE login_sessions SET expires_at = :then", then=ends_at)

    tokens = handbook.exchange(code).get_json()

    assert 0 < tokens["expires_in"] <= 60
    for name in ("access_token", "refresh_token"):
        assert claims_of(tokens[name])["exp"] <= ends_at.timestamp()


def test_Q49_the_origins_of_a_disabled_client_may_not_call(app: Flask) -> None:
    make_client(app, kind="spa", origins=["https://page.example.com"])
    execute_sql(app, "UPDATE openid_clients SET disabled_at = created_at")

    response = app.test_client().options("/oauth/token/", headers={"Origin": "https://page.example.com"})

    assert "Access-Control-Allow-Origin" not in response.headers
