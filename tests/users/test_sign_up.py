"""Signing up."""

import pytest
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import new_user

pytestmark = pytest.mark.both


def test_anyone_can_sign_up(client: FlaskClient) -> None:
    wanted = new_user()

    response = client.post("/userapi/users/", json=wanted)

    assert response.status_code == 201
    made = response.get_json()
    assert response.headers["Location"] == made["url"]
    assert made["profile"] == wanted["profile"]
    assert "password" not in made


def test_G01_rejects_an_email_in_use_whatever_its_case(client: FlaskClient, user: ApiUser) -> None:
    response = client.post("/userapi/users/", json=new_user(email=user.email.upper()))

    assert response.status_code == 400
    assert response.get_json()["errors"] == {"email": ["This email address is already in use."]}
