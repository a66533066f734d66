"""The download of the data of your own account."""

from datetime import timedelta

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.second_factors import prove, set_up_app
from tests.support.staff_imports import move_clock

DATA = "/userapi/auth/data/"


@pytest.mark.both
def test_the_data_contain_the_account_its_sessions_and_its_activity(app: Flask, user: ApiUser) -> None:
    activity = user.get("/userapi/auth/activity/").get_json()["results"]
    response = user.get(DATA)

    data = response.get_json()
    assert response.status_code == 200
    assert set(data) == {"exported_at", "user", "sessions", "factors", "devices", "activity"}
    assert data["user"] == user.get("/userapi/auth/user/").get_json()
    assert data["sessions"] == user.get("/userapi/auth/sessions/").get_json()["results"]
    assert data["activity"] == activity
    assert user.get("/userapi/auth/activity/?limit=1").get_json()["results"][0]["action"] == "user.data_exported"
    assert "argon2" not in response.text


def test_the_data_require_a_recent_proof(user: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    move_clock(monkeypatch, timedelta(minutes=16))

    assert user.get(DATA).get_json()["code"] == "proof_needed"


def test_S20_the_data_contain_the_second_factors_without_their_secrets(app: Flask, user: ApiUser) -> None:
    phone, codes = set_up_app(app, user.id)
    prove(user, phone.code())

    response = user.get(DATA)

    assert response.get_json()["factors"] == user.get("/userapi/auth/factors/").get_json()
    assert response.get_json()["devices"] == []
    assert not any(secret in response.text for secret in (phone.secret, *codes))
