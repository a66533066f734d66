"""Dates of birth: real days in the past."""

import pytest
from flask.testing import FlaskClient

from tests.support.factories import PROFILE, new_user

pytestmark = pytest.mark.both

USERS = "/userapi/users/"
NO_DAYS = (
    "2023-02-29", "1900-02-29", "2024-02-30", "2024-13-01", "2024-00-10", "2024-01-00", "0000-01-01", "0001-01-01",
    "1899-12-31",
    "2999-01-01", "9999-12-31", "10000-01-01", "-2000-01-01", "12/10/1990", "10.12.1990", "1990-12-10T00:00:00",
    "1990-12-10Z",
    "19901210", "1990-W50-1", "1990-344", "1990-1-2", " 1990-12-10", "1990-12-10 ", "1990-12-10\n", "١٩٩٠-١٢-١٠",
    "１９９０-１２-１０",
    "1990‐12‐10", "today", "", "0", "1e3", "1990-12-10" + "0" * 10_000,
)  # fmt: skip


def test_V07_a_date_of_birth_must_be_a_real_date_in_the_past(client: FlaskClient) -> None:
    for day in NO_DAYS:
        response = client.post(USERS, json=new_user(profile=PROFILE | {"dob": day}))

        assert response.status_code == 400, day
        assert list(response.get_json()["errors"]["profile"]) == ["dob"], day


@pytest.mark.parametrize("day", ["2000-02-29", "1900-01-01", "2024-02-29"])
def test_V07_accepts_leap_days(client: FlaskClient, day: str) -> None:
    response = client.post(USERS, json=new_user(profile=PROFILE | {"dob": day}))

    assert response.status_code == 201
    assert response.get_json()["profile"]["dob"] == day
