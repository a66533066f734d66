"""Hostile texts, types and dates."""

import itertools
import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, PROFILE, new_user

pytestmark = [pytest.mark.both, pytest.mark.unmeasured]

USERS = "/userapi/users/"
PROFILE_TEXTS = {"title": 5, "address": 255, "country": 50, "city": 50, "zip": 5}
TEXTS = {"username": 50, "first_name": 150, "last_name": 150}

NAUGHTY = (
    "<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "{{7*7}}", "${7*7}", "#{7*7}", "{% raw %}",
    "%s%n%x", "%d" * 9,
    "' OR '1'='1", "'; DROP TABLE users; --", "\\", "\\'", '"', "`id`", "$(id)", "; ls", "| cat /etc/passwd",
    "../../etc/passwd",
    "null", "None", "undefined", "NaN", "true", "0", "-1", "1e309", "=1+1", "@SUM(A1)", "+1", "-1+1",
    "javascript:alert(1)",
    "Ω≈ç√∫˜µ≤≥÷", "ÅÍÎÏ˝ÓÔ\uf8ffÒÚÆ☃", "社會科學院語學研究所", "הָיְתָה", "الكل في المجمو عة", "👩‍👩‍👧‍👦", "🏳️‍🌈",
    "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮", "\u00a0x\u00a0", "x\u3000y", "ﷺ", "ﬁ", "\U0010fffd", "\ufffd", "O'Neill-Ångström",
)  # fmt: skip

CONTROLS = ("\x00", "\r", "\n", "\r\n", "\x1b[31m", "\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\x08", "\x0b", "\t")


def edit(field: str, value: Any) -> dict[str, Any]:
    """The body of a PATCH of a field of the user or of its profile."""
    return {"profile": {field: value}} if field in PROFILE else {field: value}


def shown(document: dict[str, Any], field: str) -> Any:
    """A field of a user, or of its profile."""
    return document["profile"][field] if field in PROFILE else document[field]


def field_errors(document: dict[str, Any], field: str) -> Any:
    """The errors of a field."""
    errors = document["errors"]
    return errors["profile"][field] if field in PROFILE else errors[field]


@pytest.mark.parametrize("field", [*TEXTS, *PROFILE_TEXTS])
def test_V02_hostile_text_is_stored_unchanged_or_rejected(user: ApiUser, field: str) -> None:
    longest = {**TEXTS, **PROFILE_TEXTS}[field]
    kept = 0
    for text in NAUGHTY:
        response = user.patch(user.url, json=edit(field, text))

        if len(text) > longest or (field == "username" and "\u200d" in text):
            assert response.status_code == 400, text
        else:
            assert response.status_code == 200, text
            assert shown(user.get(user.url).get_json(), field) == text
            kept += 1
    assert kept > 5


@pytest.mark.parametrize("field", [*TEXTS, *PROFILE_TEXTS])
def test_V03_rejects_control_characters(user: ApiUser, field: str) -> None:
    before = user.get(user.url).get_json()
    for control in CONTROLS:
        for text in (control, f"a{control}", f"{control}a", f"a{control}b"):
            response = user.patch(user.url, json=edit(field, text))

            assert response.status_code == 400, repr(text)
            assert field_errors(response.get_json(), field)
    assert user.get(user.url).get_json() == before


def test_V03_rejects_control_characters_in_every_field_of_a_registration(client: FlaskClient) -> None:
    for field in ("email", "password", *TEXTS, *PROFILE):
        wanted = new_user()
        target = wanted["profile"] if field in PROFILE else wanted
        target[field] = (
            f"{target.get(field, 'x')}\x00"[-5:] if field in ("title", "zip") else f"{target.get(field, 'x')}\x00"
        )

        response = client.post(USERS, json=wanted)

        assert response.status_code == 400, field
        assert field_errors(response.get_json(), field)


def test_V03_rejects_control_characters_in_forms_too(client: FlaskClient) -> None:
    wanted = {name: value for name, value in new_user().items() if name != "profile"}
    flat = wanted | {f"profile.{name}": value for name, value in PROFILE.items()}

    assert client.post(USERS, data=flat | {"first_name": "a\x00b"}).status_code == 400
    assert client.post(USERS, data=flat | {"profile.city": "a\r\nb"}).status_code == 400
    assert client.post(USERS, data=flat).status_code == 201


def test_V04_rejects_lone_surrogates_everywhere(client: FlaskClient, user: ApiUser, staff: ApiUser) -> None:
    for body in (
        b'{"first_name": "a\\ud800"}', b'{"first_name": "\\udfff"}', b'{"profile": {"city": "\\ud83d"}}',
        b'{"\\ud800": "x"}', b'{"profile": {"\\udc00": "x"}}', b'{"email": "\\ud800@example.com"}',
    ):  # fmt: skip
        assert user.patch(user.url, data=body, content_type="application/json").status_code == 400, body
    login = f'{{"email": "{user.email}", "password": "{PASSWORD}\\ud800"}}'
    assert client.post("/api-token-auth/", data=login, content_type="application/json").status_code == 400
    form = b"first_name=%ED%A0%80"
    edited = user.patch(user.url, data=form, content_type="application/x-www-form-urlencoded")
    assert edited.status_code in (200, 400)
    assert staff.get(f"{USERS}?search=%ED%A0%80").status_code in (200, 400)


@pytest.mark.parametrize("field", [*TEXTS, *PROFILE_TEXTS])
def test_V05_lengths_are_counted_in_characters_on_every_database(user: ApiUser, field: str) -> None:
    longest = {**TEXTS, **PROFILE_TEXTS}[field]
    for character in ("x", "é", "字", "🦉"):
        longest_text = character * longest

        assert user.patch(user.url, json=edit(field, longest_text)).status_code == 200
        assert shown(user.get(user.url).get_json(), field) == longest_text
        rejected = user.patch(user.url, json=edit(field, longest_text + character))
        assert rejected.status_code == 400
        assert field_errors(rejected.get_json(), field) == [f"Longer than maximum length {longest}."]


def test_V05_accepts_a_name_that_case_folds_to_many_characters(user: ApiUser, staff: ApiUser) -> None:
    long = "ﷺ" * 150

    assert user.patch(user.url, json={"last_name": long}).get_json()["last_name"] == long
    assert user.id in [row["id"] for row in staff.get(f"{USERS}?ordering=last_name").get_json()["results"]]


@pytest.mark.parametrize("field", PROFILE)
def test_profile_fields_cannot_be_blank(user: ApiUser, field: str) -> None:
    for blank in ("", " ", "\u3000"):
        assert user.patch(user.url, json=edit(field, blank)).status_code == 400


@pytest.mark.parametrize("field", ["email", "password", *TEXTS, *PROFILE])
def test_V06_a_wrong_type_is_rejected_by_name_and_not_converted(client: FlaskClient, user: ApiUser, field: str) -> None:
    for value in (True, False, 0, 1, 19901210, 1.5, [], ["x"], {}, {"$ne": None}, [None], 2**63):
        wanted = new_user()
        (wanted["profile"] if field in PROFILE else wanted)[field] = value

        created = client.post(USERS, json=wanted)
        edited = user.patch(user.url, json=edit(field, value))

        assert created.status_code == edited.status_code == 400, value
        assert field_errors(created.get_json(), field)
        assert field_errors(edited.get_json(), field)
    if field != "username":
        wanted = new_user()
        (wanted["profile"] if field in PROFILE else wanted)[field] = None
        assert client.post(USERS, json=wanted).status_code == 400


@pytest.mark.parametrize("value", ["x", 5, [], [PROFILE], True, None, "null"])
def test_V06_a_profile_must_be_an_object(client: FlaskClient, value: Any) -> None:
    response = client.post(USERS, json=new_user(profile=value))

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["profile"]


@pytest.mark.parametrize("value", ["yes", "True", 1, 0, None, "", [], {}, 1.0])
def test_V06_a_flag_must_be_true_or_false(staff: ApiUser, user: ApiUser, value: Any) -> None:
    response = staff.patch(user.url, json={"is_active": value})

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == ["is_active"]


def test_G03_a_username_has_no_invisible_characters(user: ApiUser) -> None:
    for character in ("\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\u00ad", "\U000e0041"):
        assert user.patch(user.url, json={"username": f"ad{character}a"}).status_code == 400, repr(character)
    assert user.patch(user.url, json={"username": "ada.o'neill-é_1"}).status_code == 200


def test_G08_a_rejected_registration_stores_nothing(app: Flask, client: FlaskClient, staff: ApiUser) -> None:
    wanted = new_user()
    before = staff.get(f"{USERS}?count=true").get_json()["count"]
    broken = [
        wanted | {"profile": PROFILE | {"zip": "123456"}},
        wanted | {"profile": PROFILE | {"dob": "2999-01-01"}},
        wanted | {"password": "1"},
        wanted | {"username": "x" * 51},
        {name: value for name, value in wanted.items() if name != "profile"},
    ]

    assert [client.post(USERS, json=attempt).status_code for attempt in broken] == [400] * len(broken)

    assert staff.get(f"{USERS}?count=true").get_json()["count"] == before
    assert client.post(USERS, json=wanted).status_code == 201
    sign_in(app, wanted["email"])


def test_V01_all_wrong_fields_are_named_together_and_nested_as_sent(client: FlaskClient) -> None:
    response = client.post(
        USERS,
        json={
            "email": "no address",
            "password": PASSWORD,
            "first_name": 5,
            "profile": {"zip": "123456", "dob": "never"},
        },
    )

    problem = response.get_json()
    assert response.status_code == problem["status"] == 400
    assert response.mimetype == "application/problem+json"
    assert problem["type"] == "about:blank"
    assert problem["code"] == "validation_failed"
    assert problem["title"]
    assert problem["detail"]
    assert set(problem["errors"]) == {"email", "first_name", "profile"}
    assert set(problem["errors"]["profile"]) == {"title", "dob", "address", "country", "city", "zip"}
    messages = itertools.chain(problem["errors"]["email"], *problem["errors"]["profile"].values())
    assert all(isinstance(message, str) and message for message in messages)


def test_V19_an_error_repeats_no_password_and_no_markup(client: FlaskClient) -> None:
    markup = "<script>alert(1)</script>"
    response = client.post(
        USERS, json=new_user(email=markup, password="secret-9481", first_name=["x"], **{markup: "value-7713"})
    )

    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "secret-9481" not in response.text
    assert "value-7713" not in response.text


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    [
        "email",
        "password",
        "username",
        "first_name",
        "last_name",
        "profile",
        "id",
        "url",
        "is_staff",
        "is_active",
        "last_login",
        "x",
    ]
)
profiles = st.dictionaries(st.sampled_from([*PROFILE, "id"]), anything, max_size=6)
bodies = st.dictionaries(fields, anything | profiles, max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies)
def test_V06_every_input_is_accepted_or_rejected_without_a_server_error(user: ApiUser, body: dict[str, Any]) -> None:
    sent: dict[str, Any] = {"data": json.dumps(body), "content_type": "application/json"}
    responses = [
        user.client.post(USERS, **sent),
        user.patch(user.url, **sent),
        user.put("/userapi/auth/user/", **sent),
        user.client.post("/api-token-auth/", **sent),
    ]

    assert all(response.status_code < 500 for response in responses), [response.status_code for response in responses]
