"""The statements that finding the caller of a request costs."""

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import make_user
from tests.support.forged_tokens import get_own_user, read_claims, verify_token
from tests.support.statement_counter import record_statements


@pytest.mark.both
def test_one_statement_loads_the_caller(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    token = user.tokens["access_token"]
    for _first_and_later in range(2):
        with record_statements(app) as seen:
            assert get_own_user(client, token).status_code == 200
        assert len(seen) == 1, seen
        with record_statements(app) as seen:
            assert user.get(user.url).status_code == 200
        assert len(seen) == 1, seen
        with record_statements(app) as seen:
            assert verify_token(client, token).status_code == 200
        assert len(seen) == 1, seen
        with record_statements(app) as seen:
            assert user.get("/userapi/").status_code == 200
        assert len(seen) == 1, seen


@pytest.mark.both
def test_missing_and_forged_tokens_cost_no_statement(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    forged = jwt.encode(read_claims(user.tokens["access_token"]), "x" * 32, "HS256")

    with record_statements(app) as seen:
        assert client.get("/userapi/auth/user/").status_code == 401
        assert get_own_user(client, forged).status_code == 401
        assert verify_token(client, forged).status_code == 401
        assert client.get("/userapi/").status_code == 200

    assert seen == []


@pytest.mark.both
@pytest.mark.parametrize("others", [0, 7])
def test_a_page_of_users_costs_one_more_statement(app: Flask, staff: ApiUser, others: int) -> None:
    for _ in range(others):
        make_user(app)

    with record_statements(app) as seen:
        assert len(staff.get("/userapi/users/").get_json()["results"]) == others + 1

    assert len(seen) == 2
