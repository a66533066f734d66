"""`GET /userapi/profile-fields/`: the profile of a new user as JSON Schema."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.factories import PROFILE
from tests.support.own_fields import EVERY_KIND, VALID, VALUES

PATH = "/userapi/profile-fields/"


def describe(app: Flask, **headers: str) -> dict[str, Any]:
    response = app.test_client().get(PATH, headers=headers)
    assert response.status_code == 200
    described: dict[str, Any] = response.get_json()
    Draft202012Validator.check_schema(described)
    return described


def test_W03_anyone_can_read_the_fields_with_labels_in_their_language(declare: Callable[..., Flask]) -> None:
    app = declare(EVERY_KIND)

    english, german = describe(app)["properties"], describe(app, **{"Accept-Language": "de"})["properties"]

    assert list(english) == list(VALUES)
    assert (english["company"]["title"], german["company"]["title"]) == ("Company", "Firma")
    assert english["company"]["description"] == "Where you work"
    assert {"const": "news", "title": "Neues"} in german["topics"]["items"]["oneOf"]
    assert {"const": "GB", "title": "Vereinigtes Königreich"} in german["seat"]["oneOf"]


def test_every_valid_profile_fits_the_schema_and_wrong_ones_do_not(declare: Callable[..., Flask]) -> None:
    validator = Draft202012Validator(describe(declare(EVERY_KIND)), format_checker=Draft202012Validator.FORMAT_CHECKER)

    @settings(max_examples=25, deadline=None)
    @given(st.fixed_dictionaries(VALID))
    def check(profile: dict[str, Any]) -> None:
        validator.validate(profile)

    check()
    validator.validate(dict.fromkeys(VALUES) | {"title": ""})
    for wrong in (
        {"seat": "XK"},
        {"size": "medium"},
        {"employees": 1.5},
        {"budget": "1."},
        {"topics": ["x"]},
        {"x": 1},
    ):
        assert not validator.is_valid(wrong), wrong


def test_the_schema_names_what_a_registration_needs(declare: Callable[..., Flask], app: Flask) -> None:
    own = describe(
        declare(
            '[profile.city]\nrequired = "no"\n[profile.company]\ntype = "line"\nrequired = "ask"\n'
            '[profile.size]\ntype = "choice"\noptions = ["small"]\nrequired = "new"\nwrite = "once"\n'
            '[profile.tier]\ntype = "line"\nwrite = "staff"\n'
            '[profile.note]\ntype = "line"\nwrite = "staff"\nread = "staff"\n'
        )
    )

    assert list(own["properties"]) == ["city", "company", "size"]
    assert own["required"] == ["company", "size"]
    assert own["properties"]["company"]["type"] == own["properties"]["size"]["type"] == "string"
    assert own["properties"]["company"]["minLength"] == 1
    assert describe(app)["required"] == list(PROFILE)


def test_the_schema_has_an_entity_tag(declare: Callable[..., Flask]) -> None:
    client = declare(EVERY_KIND).test_client()
    tag = client.get(PATH).headers["ETag"]

    assert client.get(PATH, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(PATH, headers={"If-None-Match": tag, "Accept-Language": "de"}).status_code == 200
