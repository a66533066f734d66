"""The shortcuts of imports for usual values: they accept nothing that the API rejects, and change no value."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from userapi.http.fields import Line
from userapi.transfer.field_loading import KnownFields
from userapi.transfer.profile_validation import get_profile_rules
from userapi.transfer.usual_values import find_reader
from userapi.transfer.validation import KNOWN_FIELDS, SHOWN_NAMES

#: Texts at the edges of the rules: blanks, controls, marks, format characters, fillers and surrogates.
ODD = st.text(
    st.sampled_from("aZ09 .-@_$=+é\u0301\u202e\u200b\u3164\u00a0\u2028\t\n\x00\ud800ǆß'\u0378\ue000"), max_size=6
)
DIGEST = "MA8xUcAefqqKVQBr4yzb5IdzucipXCvY9dQBBekcMPk"
SALT = "CmkyTZ//ALw2wTOHJoLA4g"
HASHES = st.one_of(
    st.builds("{}$argon2id$v={}$m={},t={},p={}${}${}".format,
              st.sampled_from(["", "argon2"]), st.sampled_from(["19", "16", "3"]),
              st.sampled_from(["8", "19456", "019456", "262145"]), st.sampled_from(["1", "2", "40"]),
              st.sampled_from(["1", "4", "17"]), st.sampled_from([SALT, SALT[:-1] + "h"]),
              st.sampled_from([DIGEST, DIGEST[:-1] + "l", DIGEST[:-1]])),
    st.builds("pbkdf2_{}${}${}${}".format, st.sampled_from(["sha256", "sha1"]),
              st.sampled_from(["0", "1000", "3000001", "9" * 16]), st.sampled_from(["wS4hXv", "", "a-b"]),
              st.sampled_from([f"{DIGEST}=", DIGEST, DIGEST[:-1] + "l="])),
)  # fmt: skip
EMAILS = st.builds("{}@{}".format, ODD, st.sampled_from(["example.com", "bücher.de", "localhost", "a..b", "x.invalid"]))
TIMES = st.builds("{}-{}-{}{}{}".format, st.sampled_from(["1970", "1969", "2024", "2999", "0000"]),
                  st.sampled_from(["01", "02", "13", "W01"]), st.sampled_from(["01", "29", "30", "1"]),
                  st.sampled_from(["T12:00:00", "T24:00:00", "T23:59:60", " 12:00:00.5", "T12:00:00.123456", ""]),
                  st.sampled_from(["Z", "+00:00", "-05:00", "+00:00:01", "z", ""]))  # fmt: skip
VALUES = st.one_of(
    ODD, TIMES, st.text(max_size=60), st.text("ab ", max_size=60), HASHES, EMAILS,
    st.sampled_from(["ab@EXAMPLE.com", "x" * 51, "x" * 300, "ada@services.invalid"]),
    st.integers(), st.booleans(), st.none(), st.lists(ODD, max_size=2), st.just(1.5),
    st.dictionaries(ODD, ODD, max_size=1),
)  # fmt: skip

#: Fields with options that no field of a user has yet.
OTHERS = KnownFields({"trimmed": Line(10, 1, trim=True), "without formatting": Line(10, 2, formatting=False)})


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
@example("\u3164")
@example("a ")
@example(f"$argon2id$v=19$m=19456,t=2,p=1${SALT}${DIGEST[:-1]}l")
def test_a_shortcut_reads_a_value_as_its_field_does_or_leaves_it_to_the_field(app: Flask, value: Any) -> None:
    with app.app_context():
        for known in (KNOWN_FIELDS, SHOWN_NAMES, get_profile_rules().known, OTHERS):
            for name, reader in known.readers.items():
                found = reader(value)
                if found is not None:
                    assert same(found, deserialize(known, name, value)), (name, value)


@pytest.mark.parametrize(
    "usual",
    [
        {"id": 7, "email": "wren.okafor@example.com", "first_name": "Wren", "last_name": "Ōkafor", "is_active": True},
        {"is_staff": False, "groups": [], "password_hash": f"$argon2id$v=19$m=19456,t=2,p=1${SALT}${DIGEST}"},
        {"permissions": [], "password_hash": f"pbkdf2_sha256$1000000$wS4hXv${DIGEST}="},
    ],
)
def test_usual_values_need_no_field(app: Flask, usual: dict[str, Any]) -> None:
    with app.app_context():
        assert {name: KNOWN_FIELDS.readers[name](value) for name, value in usual.items()} == usual
        address = {"title": "Ms", "address": "12 Pulteney Street", "city": "Bath", "zip": "BA2 4"}
        assert {name: get_profile_rules().known.readers[name](text) for name, text in address.items()} == address
        assert get_profile_rules().known.readers["dob"]("1990-12-10") == date(1990, 12, 10)
        for text in ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00.000000+00:00"):
            assert KNOWN_FIELDS.readers["date_joined"](text) == datetime(2024, 2, 29, 12, tzinfo=UTC)


def test_a_field_with_other_rules_has_no_shortcut() -> None:
    class Lowercase(Line):
        """A line with a rule of its own."""

    checked = Line(10)
    checked.validators.append(lambda _text: None)

    assert [find_reader(field) for field in (Lowercase(10), checked, Line(10, allow_none=True))] == [None] * 3
    assert find_reader(Line(10)) is not None


def deserialize(known: KnownFields, name: str, value: Any) -> Any:
    try:
        return known.fields[name].deserialize(value)
    except ValidationError as error:
        return error


def same(found: Any, expected: Any) -> bool:
    return type(found) is type(expected) and found == expected
