"""The number of SQL statements per request, whatever the number of rows."""

from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PROFILE, make_user
from tests.support.passkeys import add_passkey, request_sign_in, send_credential
from tests.support.second_factors import set_up_app
from tests.support.statement_counter import record_statements
from userapi.core.db import db
from userapi.users import accounts

pytestmark = pytest.mark.both

USERS = "/userapi/users/"


@pytest.fixture
def crowd(app: Flask) -> int:
    """Sixty users without passwords."""
    with app.app_context():
        for number in range(60):
            accounts.create(f"person-{number}@example.com", None, PROFILE | {"dob": date(1990, 12, 10)})
        db.session.commit()
    return 60


def test_reading_the_own_account_costs_one_statement(app: Flask, user: ApiUser) -> None:
    for url in (user.url, "/userapi/auth/user/"):
        with record_statements(app) as seen:
            assert user.get(url).status_code == 200

        assert len(seen) == 1, seen


@pytest.mark.parametrize(
    ("change", "in_transaction", "alone"),
    [
        (
            {"profile": {"city": "York", "zip": "YO17"}},
            4,
            2,
        ),  # caller, lock, update, event; in one statement after the caller
        ({"language": "de", "profile": {"city": "York"}}, 5, 6),
        ({"profile": {"city": PROFILE["city"]}}, 2, 1),
    ],
)
def test_editing_the_own_account_costs_few_statements(
    app: Flask, user: ApiUser, database_kind: str, change: dict[str, Any], in_transaction: int, alone: int
) -> None:
    with record_statements(app) as seen:
        assert user.patch("/userapi/auth/user/", json=change).status_code == 200

    assert len(seen) == (alone if database_kind == "postgresql" else in_transaction), seen


def test_listing_factors_costs_two_statements_and_two_more_where_there_are_some(app: Flask, user: ApiUser) -> None:
    counts = []
    for _ in range(2):
        with record_statements(app) as seen:
            assert user.get("/userapi/auth/factors/").status_code == 200
        counts.append(len(seen))
        set_up_app(app, user.id)

    assert counts == [2, 4]


def test_reading_another_user_costs_staff_two_statements(app: Flask, staff: ApiUser, user: ApiUser) -> None:
    with record_statements(app) as seen:
        assert staff.get(user.url).status_code == 200

    assert len(seen) == 2, seen


def test_signing_in_with_a_passkey_costs_no_more_statements_than_its_steps(app: Flask) -> None:
    user_id = make_user(app, email_verified=True)
    authenticator = add_passkey(app, user_id)
    with record_statements(app) as of_options:
        options = request_sign_in(app)
    with record_statements(app) as seen:
        assert send_credential(app, authenticator.get(options)).status_code == 200

    assert of_options == []
    # Passkey and account, challenge, passkey, admission, device, session, requirements, surplus, event, own document.
    assert len(seen) <= 12, seen


def test_a_denied_request_costs_one_statement(app: Flask, user: ApiUser) -> None:
    with record_statements(app) as seen:
        assert user.get(USERS).status_code == 403

    assert len(seen) == 1, seen


@pytest.mark.parametrize(
    "ordering", ["", "&ordering=-date_joined", "&ordering=last_login", "&ordering=email&search=person"]
)
def test_a_list_costs_two_statements_whatever_its_size_and_depth(
    app: Flask, staff: ApiUser, crowd: int, ordering: str
) -> None:
    deep = f"{USERS}?limit=5{ordering}"
    for _ in range(9):
        parts = urlsplit(staff.get(deep).get_json()["next"])
        deep = f"{parts.path}?{parts.query}"

    for url, length in ((f"{USERS}?limit=1{ordering}", 1), (f"{USERS}?limit=50{ordering}", 50), (deep, 5)):
        with record_statements(app) as seen:
            response = staff.get(url)

        assert len(response.get_json()["results"]) == length
        assert len(seen) == (3 if "search" in ordering else 2), seen  # a search first looks for the quicker plan


def test_a_count_costs_one_more_statement(app: Flask, staff: ApiUser, crowd: int) -> None:
    with record_statements(app) as seen:
        assert staff.get(f"{USERS}?count=true").get_json()["count"] == crowd + 1

    assert len(seen) == 3, seen
