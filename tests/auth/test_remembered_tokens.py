"""The cache of verified and signed tokens, which only saves time."""

from pathlib import Path

import jwt
import pytest
from flask import Flask

import config
from tests.support.api_client import ApiUser
from tests.support.forged_tokens import get_own_user, read_claims
from userapi.auth.claims import AccessClaims, RefreshClaims
from userapi.auth.token_manager import MAX_REMEMBERED, TokenManager, manager


def test_a_new_token_is_cached_with_its_claims(app: Flask, user: ApiUser) -> None:
    with app.app_context():
        access = manager().recall(user.tokens["access_token"])
        refresh = manager().recall(user.tokens["refresh_token"])

    assert isinstance(access, AccessClaims)
    assert isinstance(refresh, RefreshClaims)
    assert access.document == read_claims(user.tokens["access_token"])
    assert refresh.document == read_claims(user.tokens["refresh_token"])
    assert (access.user_id, str(access.session_id)) == (user.id, access.document["sid"])
    assert access.session_id == refresh.session_id


def test_a_token_from_another_process_is_verified_and_then_cached(
    app: Flask, user: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = user.tokens["access_token"]
    with app.app_context():
        monkeypatch.setattr(manager(), "_remembered", {})
        assert manager().recall(token) is None

        response = get_own_user(app.test_client(), token)

        assert response.status_code == 200
        found = manager().recall(token)
        assert found is not None
        assert found.document == jwt.decode(token, options={"verify_signature": False})


def test_the_oldest_token_is_dropped_when_the_cache_is_full(app: Flask, user: ApiUser) -> None:
    remembering = TokenManager()
    with app.app_context():
        claims = manager().recall(user.tokens["access_token"])
    assert claims is not None

    for number in range(MAX_REMEMBERED + 1):
        remembering.remember(str(number), "kid", claims)

    assert len(remembering._remembered) == MAX_REMEMBERED
    assert "0" not in remembering._remembered


def test_only_auth_imports_the_library_and_no_code_uses_its_private_names() -> None:
    texts = {path: path.read_text() for path in Path(config.ROOT, "userapi").rglob("*.py")}

    importing = {path.parent.name for path, text in texts.items() if "flask_jwt_extended" in text}
    forging = [str(path) for path, text in texts.items() if "_jwt_extended_" in text]

    assert (importing, forging) == ({"auth"}, [])
