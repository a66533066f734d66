"""What others learn about a second step, and what the password alone changes about it."""

import pytest
from flask import Flask

from tests.support.factories import make_account, new_user
from tests.support.sql import fetch_number
from tests.support.two_steps import LOGIN, Owner, make_owner


@pytest.fixture
def owner(app: Flask) -> Owner:
    return make_owner(app)


@pytest.mark.both
def test_S13_a_right_password_between_wrong_codes_does_not_reset_the_count(owner: Owner) -> None:
    for number in (1, 2, 3):
        response = owner.second_step(owner.mfa_token(), owner.phone.wrong_code())

        assert response.get_json()["code"] == "invalid_code"
        assert fetch_number(owner.app, "SELECT failures FROM second_factors") == number


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (LOGIN, {"password": "not the password 9"}),
        (LOGIN, {"password": "not the password 9", "code": "123456"}),
        ("/userapi/auth/password/reset/", {}),
        ("/userapi/users/", new_user()),
    ],
    ids=["a wrong password", "a wrong password and a code", "a reset", "a registration"],
)
def test_S59_only_the_password_shows_that_an_account_has_a_second_step(
    owner: Owner, path: str, body: dict[str, object]
) -> None:
    client = owner.app.test_client()
    plain = make_account(owner.app)

    with_factor, without = (client.post(path, json={**body, "email": email}) for email in (owner.email, plain))

    assert (with_factor.status_code, with_factor.get_json()) == (without.status_code, without.get_json())
    assert "second_step_needed" in owner.first_step().text
