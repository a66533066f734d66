"""The values of own fields: what the API stores of each kind, and what it rejects."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD
from tests.support.own_fields import EVERY_KIND, VALID, VALUES
from tests.support.sql import fetch_rows

PATH = "/userapi/auth/user/"

#: Invalid values for every field that none of the fields accepts, and more for some of them.
NEVER = ({}, {"a": 1}, [[[["x"]]]], [None], "\x00", "a\x00", "\x1b[31m", "x" * 4001, 1e308)
WRONG: dict[str, tuple[Any, ...]] = {
    "company": ("x" * 101, "a\nb", " ", "\u202eabc", 5, True),
    "about": ("\u2066abc", "\u2028", " \n", 5),
    "employees": (2**53, -(2**53), 1.5, True, "1e3", "1.0", "٣", "x", " 1"),
    "budget": ("1e3", "1.", ".5", "01", "1" * 21, "1.12345678901", "12\n", "NaN", "Infinity", 12, 12.5, True),
    "newsletter": ("yes", "1", 1, 0),
    "founded": ("2026-02-30", "26-02-03", "2026-11-29T00:00:00Z", 20261129, "20261129"),
    "opened": ("2026-11-29", "2026-11-29T08:30:00", "0001-01-01T00:00:00+14:00", "now", 1764400000),
    "size": ("medium", "SMALL", ["small"], True),
    "topics": (["news", "other"], ["news", 1], "other", "[news]", ["news"] * 4),
    "work_email": ("office", "office@", "ö@example.com", "a@b@example.com", 5),
    "website": ("javascript:alert(1)", "ftp://example.com", "example.com", "https://", "https://a b/", 5),
    "mobile": ("+44", "020 7946 0018", "+44 20 7946 0018 ext. 5", "+999 123 456", 442079460018),
    "seat": ("XK", "UK", "GBR", "Germany", 5),
}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def owner(declare: Callable[..., Flask]) -> ApiUser:
    """A user with a profile, of a service with own fields of every kind."""
    app = declare(EVERY_KIND)
    return register(app, {"company": "Finch"})


def register(app: Flask, profile: dict[str, Any]) -> ApiUser:
    client, email = app.test_client(), "wren@example.com"
    made = client.post("/userapi/users/", json={"email": email, "password": PASSWORD, "profile": profile})
    assert made.status_code == 201, made.text
    return ApiUser(client, made.get_json()["id"], email, PASSWORD, sign_in(app, email))


def write(owner: ApiUser, profile: dict[str, Any]) -> TestResponse:
    return owner.patch(PATH, json={"profile": profile})


def stored(owner: ApiUser) -> dict[str, Any]:
    profile: dict[str, Any] = owner.get(PATH).get_json()["profile"]
    return profile


@pytest.mark.both
def test_W20_a_registration_stores_a_value_of_every_kind(declare: Callable[..., Flask]) -> None:
    assert stored(register(declare(EVERY_KIND), VALUES)) == VALUES


def test_a_form_stores_the_same_values(owner: ApiUser) -> None:
    sent = {name: str(value) for name, value in VALUES.items() if name != "topics"}
    sent |= {"newsletter": "True", "topics": "news", "about": VALUES["about"].replace("\n", "\r\n")}

    changed = owner.patch(PATH, data={f"profile.{name}": value for name, value in sent.items()})

    assert changed.status_code == 200, changed.text
    assert stored(owner) == VALUES | {"topics": ["news"]}


def test_a_value_is_stored_in_its_normal_form(owner: ApiUser) -> None:
    sent = {
        "opened": "2026-11-29T09:30:00+01:00",
        "topics": ["tips, tricks", "news", "news"],
        "mobile": "+44 (20) 7946-0018",
        "seat": "gb",
        "work_email": " Office@example.com ",
    }

    assert write(owner, sent).status_code == 200
    assert stored(owner) | {
        "opened": "2026-11-29T08:30:00Z",
        "topics": ["news", "tips, tricks"],
        "mobile": "+442079460018",
        "seat": "GB",
        "work_email": "Office@example.com",
    } == stored(owner)


def test_an_empty_value_is_none(owner: ApiUser) -> None:
    assert write(owner, VALUES).status_code == 200

    emptied = write(owner, {name: [] if name == "topics" else "" for name in VALUES if name != "title"})

    assert emptied.status_code == 200, emptied.text
    assert stored(owner) == dict.fromkeys(VALUES) | {"title": "Professor"}


def test_W15_an_invalid_value_is_rejected_by_name(owner: ApiUser) -> None:
    for name, values in WRONG.items():
        for value in (*values, *NEVER):
            answer = write(owner, {name: value})

            assert answer.status_code == 400, (name, value)
            assert list(answer.get_json()["errors"]["profile"]) == [name], (name, value)
    assert stored(owner) == dict.fromkeys(VALUES) | {"company": "Finch"}


def test_W15_what_is_no_json_value_is_rejected(owner: ApiUser) -> None:
    for value in ("NaN", "1e400", "1" + "0" * 400, '"\\ud800"', "[" * 2000 + "]" * 2000):
        answer = owner.patch(PATH, data=f'{{"profile": {{"employees": {value}}}}}', content_type="application/json")

        assert answer.status_code == 400, value
        assert answer.get_json()["code"] == "malformed_body", value


def test_W15_all_own_values_together_have_a_maximum_size(declare: Callable[..., Flask]) -> None:
    names = [f"note{number}" for number in range(5)]
    owner = register(
        declare("".join(f'[profile.{name}]\ntype = "text"\nmax = 4000\n' for name in names)), {"note0": "a"}
    )
    largest = dict.fromkeys(names[:4], "é" * 4000)

    assert write(owner, largest).status_code == 200
    rejected = write(owner, {"note4": "é" * 400})

    assert rejected.status_code == 400
    assert "32 KiB" in str(rejected.get_json()["errors"])
    assert stored(owner)["note4"] is None


def test_W12_a_required_value_can_be_changed_but_not_removed(declare: Callable[..., Flask]) -> None:
    owner = register(declare('[profile.company]\ntype = "line"\nrequired = "new"\n'), {"company": "Finch"})

    for nothing in (None, ""):
        answer = write(owner, {"company": nothing})
        assert answer.status_code == 400
        assert list(answer.get_json()["errors"]["profile"]) == ["company"]

    assert write(owner, {"company": "Okafor"}).status_code == 200
    assert stored(owner) == {"company": "Okafor"}


@pytest.mark.both
def test_W12_a_value_that_is_forbidden_now_does_not_block_the_change_of_another_field(
    declare: Callable[..., Flask],
) -> None:
    other = '[profile.size]\ntype = "integer"\n'
    register(declare('[profile.company]\ntype = "line"\n' + other), {"company": "Okafor and Finch"})
    app = declare('[profile.company]\ntype = "line"\nmax = 5\n' + other)
    owner = ApiUser(app.test_client(), 0, "", PASSWORD, sign_in(app, "wren@example.com"))

    for sent in ({"size": 4}, {"size": 5, "company": "Okafor and Finch"}):
        assert write(owner, sent).status_code == 200
    assert stored(owner) == {"company": "Okafor and Finch", "size": 5}
    replaced = owner.put(PATH, json={"email": "wren@example.com", "profile": stored(owner)})
    assert list(replaced.get_json()["errors"]["profile"]) == ["company"]


@pytest.mark.both
def test_W19_the_event_of_an_edit_has_no_sensitive_value(declare: Callable[..., Flask]) -> None:
    app = declare('[profile.tax]\ntype = "line"\nsensitive = true\n')
    owner = register(app, {"tax": "12/345"})

    assert write(owner, {"tax": "12/678"}).status_code == 200

    (changes,) = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'user.changed'")
    assert "profile.tax" in str(changes)
    assert "12/" not in str(changes)


def test_W15_any_json_value_is_stored_as_it_is_or_rejected(owner: ApiUser) -> None:
    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(sorted(WRONG)), JSON)
    def send(name: str, value: Any) -> None:
        body = json.dumps({"profile": {name: value}})
        answer = owner.patch(PATH, data=body, content_type="application/json")
        assert answer.status_code in (200, 400), (name, value)

    send()


def test_W20_any_valid_value_is_returned_as_it_was_sent(owner: ApiUser) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.fixed_dictionaries(VALID))
    def send(profile: dict[str, Any]) -> None:
        answer = write(owner, profile)
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["profile"] == profile

    send()
