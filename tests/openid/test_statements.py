"""The provider costs requests of the API nothing, and a sign-out one statement where clients are notified."""

from collections.abc import Callable, Mapping

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_account, make_user, new_user
from tests.support.form_browser import FormBrowser
from tests.support.relying_party import make_client
from tests.support.statement_counter import record_statements

pytestmark = pytest.mark.both

REQUESTS: Mapping[str, Callable[[ApiUser], TestResponse]] = {
    "own user": lambda user: user.get("/userapi/auth/user/"),
    "list": lambda user: user.get("/userapi/users/"),
    "verify": lambda user: user.client.post("/api-token-verify/", json={"token": user.tokens["access_token"]}),
    "refresh": lambda user: user.client.post(
        "/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]}
    ),
    "sign-in": lambda user: user.client.post(
        "/userapi/auth/login/", json={"email": user.email, "password": user.password}
    ),
    "sign-out": lambda user: user.post("/userapi/auth/logout/"),
}


def count_statements(app: Flask) -> dict[str, int]:
    """The number of statements of each request, by a member of staff."""
    email = str(new_user()["email"])
    user_id = make_user(app, email=email, is_staff=True)
    user = ApiUser(app.test_client(), user_id, email, PASSWORD, sign_in(app, email))
    counts = {}
    for name, send in REQUESTS.items():
        with record_statements(app) as seen:
            assert send(user).status_code == 200, name
        counts[name] = len(seen)
    return counts


def test_requests_of_the_api_cost_as_many_statements_with_clients_as_without_the_provider(
    make_app: Callable[..., Flask],
) -> None:
    without, app = make_app(OPENID_PROVIDER="false"), make_app()
    as_before = count_statements(without)

    before_the_first_client = count_statements(app)
    wiki = make_client(app, name="Wiki", backchannel_logout_uri="https://wiki.example.com/logout")
    with_a_client = count_statements(app)
    reader = FormBrowser(app)
    reader.sign_in(make_account(app))
    wiki.sign_in(reader)
    while_a_session_is_watched = count_statements(app)

    assert before_the_first_client == as_before
    assert with_a_client == as_before
    assert while_a_session_is_watched == {**as_before, "sign-out": as_before["sign-out"] + 1}
