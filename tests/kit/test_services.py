"""Services in Flask, FastAPI and Django verify tokens of the account service with `userapi-client`."""

import time

import httpx
import pytest

from tests.kit.conftest import Issuer, Shop
from tests.support.app_stack import register
from tests.support.factories import PASSWORD
from tests.support.forged_tokens import read_claims
from userapi_client import EndedSessions, FeedReader, TokenRevoked, Verifier

pytestmark = pytest.mark.slow


def test_a_service_accepts_only_sufficient_tokens(issuer: Issuer, shop: Shop) -> None:
    tokens = issuer.sign_in()
    access = tokens["access_token"]
    user = {"user": int(read_claims(access)["sub"])}

    accepted = [shop.get(path, access) for path in ("orders", "customers")]
    anonymous = [shop.get(path) for path in ("orders", "customers", "payments")]
    invalid = [shop.get(path, tokens["refresh_token"]) for path in ("orders", "customers")]
    weak = shop.get("payments", access)

    assert [(response.status_code, response.json()) for response in accepted] == [(200, user)] * 2
    for response in anonymous:
        assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="userapi"'
    own = httpx.get(f"{issuer.url}/userapi/auth/user/", headers={"Authorization": "Bearer x.y.z"})
    for response in invalid:
        assert response.status_code == 401
        assert response.json() == own.json()
        assert response.headers["WWW-Authenticate"] == own.headers["WWW-Authenticate"]
        assert response.headers["Content-Type"] == own.headers["Content-Type"] == "application/problem+json"
    assert weak.status_code == 401
    assert weak.headers["WWW-Authenticate"] == (
        'Bearer realm="userapi", error="insufficient_user_authentication", acr_values="aal2", max_age=300'
    )


def test_W32_services_go_on_while_the_account_service_is_stopped(issuer: Issuer, shops: dict[str, Shop]) -> None:
    access = issuer.sign_in()["access_token"]
    for shop in shops.values():
        while not has_each_process_keys(shop, access):
            pass

    issuer.stop()
    stopped = [shop.get("orders", access).status_code for shop in shops.values()]
    issuer.start()
    started = [shop.get("orders", issuer.sign_in()["access_token"]).status_code for shop in shops.values()]

    assert (stopped, started) == ([200] * 3, [200] * 3)


def test_W33_a_token_is_rejected_within_seconds_after_a_webhook_about_its_session(issuer: Issuer, shop: Shop) -> None:
    ending, staying = issuer.sign_in()["access_token"], issuer.sign_in()["access_token"]
    assert [shop.get("orders", token).status_code for token in (ending, staying)] == [200, 200]

    issuer.call("POST", "/userapi/auth/logout/", ending)
    wait_for_status(shop, ending, 401)

    assert shop.get("orders", ending).json()["code"] == "token_revoked"
    assert shop.get("orders", staying).status_code == 200


def test_W33_deactivated_users_are_rejected_within_seconds(issuer: Issuer, shops: dict[str, Shop]) -> None:
    email = register(issuer.url)
    token = issuer.sign_in(email=email, password=PASSWORD)["access_token"]
    staff = issuer.sign_in()["access_token"]
    assert [shop.get("orders", token).status_code for shop in shops.values()] == [200] * 3

    issuer.call("PATCH", f"/userapi/users/{read_claims(token)['sub']}/", staff, json={"is_active": False})

    for shop in shops.values():
        wait_for_status(shop, token, 401)


def test_tokens_of_api_keys_may_do_what_their_scopes_say(issuer: Issuer, shop: Shop) -> None:
    owner = issuer.sign_in()["access_token"]
    keys = [
        issuer.call("POST", "/userapi/auth/keys/", owner, json={"name": "Shop", "scopes": scopes}).json()
        for scopes in (["users"], ["profile"])
    ]
    wide, narrow = (issuer.sign_in(api_key=key["key"])["access_token"] for key in keys)

    denied = shop.get("customers", narrow)
    assert [shop.get(path, token).status_code for path, token in (("orders", narrow), ("customers", wide))] == [200] * 2
    assert (denied.status_code, denied.json()["code"]) == (403, "insufficient_scope")
    assert denied.headers["WWW-Authenticate"] == 'Bearer realm="userapi", error="insufficient_scope", scope="users"'

    issuer.call("DELETE", f"/userapi/auth/keys/{keys[0]['id']}/", owner)
    wait_for_status(shop, wide, 401)


def test_W33_the_feed_says_within_seconds_that_a_session_ended(issuer: Issuer) -> None:
    body = {"name": "Shop", "scopes": ["events"]}
    key = issuer.call("POST", "/userapi/auth/keys/", issuer.sign_in()["access_token"], json=body).json()["key"]
    ended = EndedSessions()
    verifier, reader = Verifier(issuer.url, ended=ended), FeedReader(issuer.url, key, ended.handle)
    reader.read()
    ending, staying = issuer.sign_in()["access_token"], issuer.sign_in()["access_token"]
    assert verifier.verify(ending).session_id != verifier.verify(staying).session_id

    reader.start()
    issuer.call("POST", "/userapi/auth/logout/", ending)
    with pytest.raises(TokenRevoked):
        repeat_until_it_fails(verifier, ending)
    reader.stop()

    assert verifier.verify(staying)


def repeat_until_it_fails(verifier: Verifier, token: str) -> None:
    started = time.monotonic()
    while time.monotonic() - started < 20:
        verifier.verify(token)
        time.sleep(0.05)


def has_each_process_keys(shop: Shop, token: str) -> bool:
    """Whether so many requests succeed that each process has answered one."""
    return all(shop.get("orders", token).status_code == 200 for _ in range(20))


def wait_for_status(shop: Shop, token: str, status: int) -> float:
    """The seconds until each process responds so."""
    started = time.monotonic()
    while any(shop.get("orders", token).status_code != status for _ in range(8)):
        assert time.monotonic() - started < 20
        time.sleep(0.1)
    return time.monotonic() - started
