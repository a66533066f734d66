"""The fast JSON of users equals marshmallow's dump."""

from collections import namedtuple
from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from userapi.http import responses
from userapi.users import queries, user_json
from userapi.users.schemas import UserSchema

pytestmark = pytest.mark.both

Row = namedtuple("Row", queries.SHOWN)  # type: ignore[misc]

moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2999, 12, 31), timezones=st.just(UTC))
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)

profiles = st.none() | st.fixed_dictionaries(
    {
        "title": texts, "dob": st.dates(date(1900, 1, 1), date(2999, 1, 1)), "address": texts, "country": texts,
        "city": texts, "zip": texts,
    }
)  # fmt: skip
users = st.fixed_dictionaries(
    {
        "id": st.integers(1, 2**63 - 1), "email": texts, "username": st.none() | texts, "first_name": texts,
        "last_name": texts, "is_active": st.booleans(), "is_staff": st.booleans(), "is_superuser": st.booleans(),
        "email_verified": st.booleans(), "pending_email": st.none() | texts, "language": st.none() | texts,
        "date_joined": moments, "last_login": st.none() | moments, "profile": profiles,
    }
)  # fmt: skip


def as_row(user: dict[str, Any]) -> Any:
    """A user as a row of the list, with the columns of the profile."""
    flat = {name: value for name, value in user.items() if name != "profile"}
    flat |= {"profile_user_id": user["id"] if user["profile"] else None, "profile_extra": None}
    for name in ("title", "dob", "address", "country", "city", "zip"):
        flat[f"profile_{name}"] = user["profile"][name] if user["profile"] else None
    return Row(**flat)


class Whole:
    """A user as marshmallow expects it: an object with a nested profile."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sample_users=st.lists(users, max_size=3))
def test_both_return_the_same_JSON(app: Flask, sample_users: list[dict[str, Any]]) -> None:
    schema = UserSchema()
    with app.app_context():
        slow = [schema.dump(Whole(row)) for row in sample_users]
        fast = user_json.from_rows([as_row(row) for row in sample_users])

        assert orjson.loads(responses.dump_json(fast)) == orjson.loads(orjson.dumps(slow))
