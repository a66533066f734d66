"""What API keys are limited by: their end, IP networks and number; wrong ones are throttled."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.api_keys import KEYS, KeyHolder, create_key
from tests.support.clocks import move_clock
from tests.support.race import run_simultaneously
from userapi.auth import api_keys
from userapi.auth.api_key_models import ApiKey
from userapi.core.db import db


def errors_of(owner: ApiUser, **options: Any) -> Any:
    """The errors of a request for a key, by field."""
    response = owner.post(KEYS, json={"name": "Nightly report", "scopes": ["users"], **options})
    assert response.status_code == 400, response.text
    return response.get_json()["errors"]


def test_a_key_expires_after_90_days_unless_its_owner_says_when(user: ApiUser) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=366)
    for options, days in (({}, 90), ({"expires_in": 86400}, 1), ({"expires_at": at.isoformat()}, 366)):
        create_key(user, **options)
        expires_at = user.get(KEYS).get_json()["results"][0]["expires_at"]
        assert abs(datetime.fromisoformat(expires_at) - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=1)


def test_a_key_cannot_be_valid_for_too_long_or_have_unknown_scopes_or_networks(user: ApiUser) -> None:
    assert errors_of(user, expires_in=367 * 86400) == {"expires_at": ["A key can be valid for at most 366 days."]}
    assert errors_of(user, expires_at="2020-01-01T00:00:00Z") == {"expires_at": ["Must be in the future."]}
    assert "expires_in" in errors_of(user, expires_in=60, expires_at="2029-01-01T00:00:00Z")
    assert "scopes" in errors_of(user, scopes=["everything"])
    assert "scopes" in errors_of(user, scopes=[])
    assert "scopes" in errors_of(user, scopes=["users", "users"])
    assert "addresses" in errors_of(user, addresses=["192.0.2.1/24"])
    assert "addresses" in errors_of(user, addresses=["fe80::1%eth0"])
    assert "addresses" in errors_of(user, addresses=["fe80::1%a b"])
    assert "name" in errors_of(user, name=" ")


def test_the_responses_to_a_key_that_ends_soon_say_when(user: ApiUser) -> None:
    soon, later = create_key(user, expires_in=29 * 86400).get(), create_key(user, expires_in=31 * 86400).get()

    ends_at = parsedate_to_datetime(soon.headers["API-Key-Expires"])
    assert timedelta(days=28) < ends_at - datetime.now(UTC) <= timedelta(days=29)
    assert "API-Key-Expires" not in later.headers


@pytest.mark.parametrize(
    ("networks", "address", "is_allowed"),
    [
        (["192.0.2.0/24"], "192.0.2.7", True),
        (["192.0.2.0/24", "2001:db8::/32"], "2001:db8::7", True),
        (["192.0.2.0/24"], "::ffff:192.0.2.7", True),
        (["::ffff:192.0.2.0/120"], "192.0.2.7", True),
        (["::ffff:192.0.2.0/120"], "198.51.100.7", False),
        (["2001:db8::/32"], "2001:db8::7%eth0", True),
        (["192.0.2.0/24"], "198.51.100.7", False),
        (["192.0.2.0/24"], "2001:db8::7", False),
    ],
)
def test_a_key_can_be_restricted_to_ip_networks(
    user: ApiUser, networks: list[str], address: str, is_allowed: bool
) -> None:
    holder = create_key(user, addresses=networks)

    response = holder.get(environ_base={"REMOTE_ADDR": address})

    assert response.get_json().get("code") == (None if is_allowed else "ip_address_not_allowed")
    token = holder.client.post("/api-token-auth/", json={"api_key": holder.key}, environ_base={"REMOTE_ADDR": address})
    assert token.status_code == (200 if is_allowed else 403)


@pytest.mark.both
def test_two_requests_cannot_exceed_the_number_of_keys_together(user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "KEYS_PER_USER", 2)
    create_key(user)

    body = {"name": "Nightly report", "scopes": ["users"]}
    made = run_simultaneously([lambda: user.post(KEYS, json=body)] * 2)

    assert sorted(response.status_code for response in made) == [201, 409]
    first = user.get(KEYS).get_json()["results"][0]["id"]
    assert user.post(f"{KEYS}{first}/rotate/").status_code == 201


def test_replaced_keys_that_are_still_valid_are_limited_in_number(
    user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_keys, "KEYS_PER_USER", 2)
    current, codes = create_key(user).id, []

    for _rotation in range(4):
        rotated = user.post(f"{KEYS}{current}/rotate/").get_json()
        codes.append(rotated.get("code"))
        current = rotated.get("id", current)

    assert codes == [None, None, None, "too_many_api_keys"]


@pytest.mark.both
def test_W58_two_rotations_at_the_same_time_make_one_successor(user: ApiUser) -> None:
    holder = create_key(user)

    made = run_simultaneously([lambda: user.post(f"{KEYS}{holder.id}/rotate/")] * 2)

    assert sorted(response.status_code for response in made) == [201, 404]
    assert len(user.get(KEYS).get_json()["results"]) == 2


def test_creating_and_rotating_keys_requires_a_recent_proof(user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = create_key(user)
    move_clock(monkeypatch, timedelta(seconds=901))

    for path in (KEYS, f"{KEYS}{holder.id}/rotate/"):
        assert user.post(path, json={}).get_json()["code"] == "proof_needed"
    assert user.delete(f"{KEYS}{holder.id}/").status_code == 204


def test_W53_wrong_keys_are_limited_for_each_client_and_valid_ones_are_not(
    make_app: Callable[..., Flask], make_api_user: Callable[..., ApiUser]
) -> None:
    owner = make_api_user()
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_API_KEY="2 per minute")
    valid = create_key(owner)
    here, there = {"REMOTE_ADDR": "192.0.2.7"}, {"REMOTE_ADDR": "192.0.2.8"}
    with app.app_context():
        wrong = [KeyHolder(app.test_client(), "", f"userapi_key_{'a' * 46}")] * 3

    codes = [holder.get(environ_base=here).get_json()["code"] for holder in wrong]

    assert codes == ["token_invalid", "token_invalid", "rate_limited"]
    assert wrong[0].get(environ_base=there).get_json()["code"] == "token_invalid"
    assert KeyHolder(app.test_client(), "", valid.key).get(environ_base=here).status_code == 200


def test_W59_a_key_counts_only_in_the_header_and_is_never_logged(
    app: Flask, user: ApiUser, capfd: pytest.CaptureFixture[str]
) -> None:
    holder, client, me = create_key(user), app.test_client(), "/userapi/auth/user/"
    client.set_cookie(app.config["JWT_ACCESS_COOKIE_NAME"], holder.key, domain="localhost")
    assert client.get(me).status_code == 401
    client = app.test_client()
    for name in ("access_token", "api_key", "key", "token"):
        assert client.get(f"{me}?{name}={holder.key}").status_code == 401
        assert client.patch(me, data={name: holder.key}).status_code == 401
    for scheme in ("Basic", "ApiKey", "Token"):
        assert client.get(me, headers={"Authorization": f"{scheme} {holder.key}"}).status_code == 401
    assert holder.code is None
    assert client.post("/api-token-auth/", json={"api_key": f"{holder.key}x"}).status_code == 401
    said = capfd.readouterr().err
    assert '"event":"request"' in said
    assert holder.key[-46:-6] not in said


def test_keys_can_be_turned_off(app: Flask, user: ApiUser) -> None:
    holder = create_key(user)
    app.config["API_KEY_MAX_LIFETIME"] = 0

    assert holder.code == "token_invalid"
    for path, body in ((KEYS, {"name": "x", "scopes": ["users"]}), ("/api-token-auth/", {"api_key": holder.key})):
        assert user.post(path, json=body).get_json()["code"] == "api_keys_off"
    assert user.delete(f"{KEYS}{holder.id}/").status_code == 204


def test_a_key_can_do_no_more_than_the_session_that_created_it(app: Flask, staff: ApiUser) -> None:
    holder = create_key(staff, "profile", "users")
    app.config["SECOND_STEP_REQUIRED_FOR"] = "staff"

    assert holder.get("/userapi/users/").get_json()["code"] == "second_step_required"
    assert holder.get().status_code == 200
    app.config["SECOND_STEP_REQUIRED_FOR"] = "everyone"
    assert holder.patch("/userapi/auth/user/", json={}).get_json()["code"] == "insufficient_scope"
    exchanged = app.test_client().post("/api-token-auth/", json={"api_key": holder.key})
    assert exchanged.get_json()["code"] == "second_step_required"

    with app.app_context():
        db.session.execute(sa.update(ApiKey).values(amr=api_keys.OF_OPERATOR))
        db.session.commit()
    assert holder.get("/userapi/users/").status_code == 200
