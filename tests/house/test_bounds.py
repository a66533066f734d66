"""Limits on the cost of a request, and parts of it that are never trusted."""

import json

import pytest
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.factories import new_user

pytestmark = pytest.mark.both

#: One character that NFKC expands to eighteen.
SWELLING = "\ufdfa"


def test_H13_no_url_is_built_from_the_host_of_a_request(client: FlaskClient, staff: ApiUser) -> None:
    lies = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    responses = [
        client.get("/userapi/", headers=lies),
        client.get("/userapi/auth/", headers=lies),
        client.post("/userapi/users/", json=new_user(), headers=lies),
        staff.get("/userapi/users/?limit=1", headers=lies),
    ]

    assert [response.status_code for response in responses] == [200, 200, 201, 200]
    for response in responses:
        said = response.text + json.dumps(dict(response.headers))
        assert "http://accounts.example.com/userapi/" in said
        assert "evil" not in said


def test_D13_the_size_of_a_page_is_limited(staff: ApiUser) -> None:
    assert staff.get("/userapi/users/?limit=200").status_code == 200

    rejected = staff.get("/userapi/users/?limit=201")

    assert rejected.status_code == 400
    assert list(rejected.get_json()["errors"]) == ["limit"]


@pytest.mark.parametrize("field", ["email", "username", "first_name", "last_name", "password"])
def test_D15_the_length_of_a_text_is_checked_before_it_is_normalised(client: FlaskClient, field: str) -> None:
    response = client.post("/userapi/users/", json=new_user(**{field: SWELLING * 100_000}))

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]


def test_D15_a_name_that_grows_when_normalised_is_stored_and_found(client: FlaskClient, staff: ApiUser) -> None:
    made = client.post("/userapi/users/", json=new_user(last_name=SWELLING * 150))
    assert made.status_code == 201

    found = staff.get("/userapi/users/", query_string={"search": "صلى"}).get_json()["results"]

    assert [user["last_name"] for user in found] == [SWELLING * 150]


@pytest.mark.parametrize("name", ["admin", "root", "postmaster", "abuse"])
def test_G09_a_username_reserves_nothing_because_it_cannot_sign_in(client: FlaskClient, name: str) -> None:
    wanted = new_user(username=name)
    assert client.post("/userapi/users/", json=wanted).get_json()["username"] == name

    rejected = client.post("/api-token-auth/", json={"username": name, "password": wanted["password"]})

    assert rejected.status_code == 401
