"""Reading one user."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import new_user
from userapi.core import clock


def test_the_owner_and_staff_read_an_account(user: ApiUser, staff: ApiUser) -> None:
    own, seen = user.get(user.url), staff.get(user.url)

    assert own.status_code == seen.status_code == 200
    assert own.get_json() == seen.get_json()
    assert own.get_json()["email"] == user.email


def test_the_url_of_a_user_works_with_or_without_the_last_slash(user: ApiUser) -> None:
    with_slash, without = user.get(user.url), user.get(user.url.rstrip("/"))

    assert without.status_code == 200
    assert without.get_json() == with_slash.get_json()


def test_staff_get_404_for_an_unused_id(staff: ApiUser) -> None:
    response = staff.get("/userapi/users/987654321/")

    assert response.status_code == 404
    assert response.get_json()["code"] == "not_found"


def test_G05_a_registration_returns_no_secret_and_does_not_sign_in(client: FlaskClient) -> None:
    wanted = new_user()

    response = client.post("/userapi/users/", json=wanted)

    assert response.status_code == 201
    assert wanted["password"] not in response.text
    assert "argon2" not in response.text
    assert "token" not in response.text
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"},
        {"X-Forwarded-Proto": "gopher"}, {"X-Forwarded-Prefix": "/evil"}, {"X-Host": "evil.example"},
    ],
)  # fmt: skip
def test_G06_the_url_uses_the_configured_host_whatever_the_request(
    client: FlaskClient, staff: ApiUser, headers: dict[str, str]
) -> None:
    response = client.post("/userapi/users/", json=new_user(), headers=headers)

    made = response.get_json()
    assert made["url"] == f"http://accounts.example.com/userapi/users/{made['id']}/"
    assert response.headers["Location"] == made["url"]
    assert staff.get(made["url"].removeprefix("http://accounts.example.com"), headers=headers).get_json() == made


def test_K07_timestamps_are_in_UTC_with_a_Z(user: ApiUser) -> None:
    document = user.get(user.url).get_json()

    for name in ("date_joined", "last_login"):
        assert document[name].endswith("Z")
        moment = datetime.fromisoformat(document[name])
        assert moment.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)


def test_K07_date_joined_never_changes(user: ApiUser) -> None:
    before = user.get(user.url).get_json()["date_joined"]

    after = user.patch(user.url, json={"first_name": "Ada"}).get_json()["date_joined"]

    assert after == before


def test_K07_a_whole_second_is_written_without_a_fraction(
    app: Flask, client: FlaskClient, staff: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as turned:
        turned.setattr(clock, "now", lambda: datetime(2024, 2, 29, 12, 0, tzinfo=UTC))
        made = client.post("/userapi/users/", json=new_user()).get_json()

    assert made["date_joined"] == "2024-02-29T12:00:00Z"
