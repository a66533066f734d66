"""Own fields of profiles in the API: who reads them, who writes them, and what becomes of their values."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import new_user
from tests.support.forged_tokens import read_claims
from tests.support.statement_counter import record_statements
from userapi.core.db import db

#: A field for each kind of reader and writer.
DECLARATION = """
[profile.title]
max = 20
[profile.city]
required = "no"
[profile.company]
type = "line"
claim = "profile.company"
[profile.referrer]
type = "line"
write = "once"
[profile.plan]
type = "choice"
options = ["free", "paid"]
write = "staff"
claim = "plan"
[profile.score]
type = "integer"
write = "system"
[profile.note]
type = "line"
read = "staff"
write = "staff"
find = "exact"
[profile.tax_number]
type = "line"
sensitive = true
"""

Declare = Callable[..., Flask]


@pytest.fixture
def app(declare: Declare) -> Flask:
    return declare(DECLARATION, ACCESS_TOKEN_CLAIMS="profile.company,plan")


def register(app: Flask, **profile: Any) -> Any:
    body = new_user(profile={"title": "Professor", **profile})
    return app.test_client().post("/userapi/users/", json=body)


def sign_up(app: Flask, **profile: Any) -> ApiUser:
    body = new_user(profile={"title": "Professor", **profile})
    made = app.test_client().post("/userapi/users/", json=body)
    assert made.status_code == 201, made.text
    tokens = sign_in(app, body["email"])
    return ApiUser(app.test_client(), made.get_json()["id"], body["email"], body["password"], tokens)


def read_extra(app: Flask, user_id: int) -> Any:
    """The own values of a user as they are stored."""
    with app.app_context():
        stored = db.session.scalar(sa.text("SELECT extra FROM user_profiles WHERE user_id = :id"), {"id": user_id})
    return json.loads(stored) if isinstance(stored, str) else stored


def test_W03_a_profile_has_the_declared_fields_in_their_order(app: Flask, superuser: ApiUser) -> None:
    owner = sign_up(app, company="Heron Ltd")

    profile = owner.get("/userapi/auth/user/").get_json()["profile"]
    listed = superuser.get("/userapi/users/").get_json()["results"]
    downloaded = owner.get("/userapi/auth/data/").get_json()

    assert list(profile) == ["title", "city", "company", "referrer", "plan", "score", "tax_number"]
    assert profile["company"] == "Heron Ltd"
    assert profile["plan"] is None
    in_lists = {name: value for name, value in profile.items() if name != "tax_number"}
    assert {**in_lists, "note": None} in [user["profile"] for user in listed]
    assert {**profile, "note": None} == downloaded["user"]["profile"]


def test_W03_the_api_document_has_the_declared_fields(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    schemas = document["components"]["schemas"]
    assert list(schemas["Profile"]["properties"])[:3] == ["title", "city", "company"]
    assert "dob" not in schemas["NewProfile"]["properties"]
    assert schemas["NewProfile"]["required"] == ["title"]
    assert schemas["NewProfile"]["properties"]["plan"]["x-set-by"] == "staff"
    body = document["paths"]["/userapi/users/"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["example"]["profile"]) <= {"title", "city", "company", "referrer", "tax_number"}


def test_W03_the_audit_log_has_the_values_before_and_after(app: Flask, superuser: ApiUser) -> None:
    owner = sign_up(app, company="Heron Ltd")

    owner.patch("/userapi/auth/user/", json={"profile": {"company": "Wren Ltd"}})

    assert changes_of(app, owner)["profile.company"] == ["Heron Ltd", "Wren Ltd"]


def changes_of(app: Flask, user: ApiUser) -> dict[str, Any]:
    """The changes in the last event about a user."""
    with app.app_context():
        text = db.session.scalar(
            sa.text(
                "SELECT changes FROM audit_events WHERE action = 'user.changed' AND target_id = :id ORDER BY id DESC"
            ),
            {"id": str(user.id)},
        )
    changes: dict[str, Any] = json.loads(text) if isinstance(text, str) else text
    return changes


@pytest.mark.parametrize("name", ["color", "dob"], ids=["never declared", "left out by the declaration"])
def test_W04_other_fields_are_unknown(app: Flask, name: str) -> None:
    rejected = register(app, **{name: "1990-12-10"})

    assert rejected.status_code == 400
    assert rejected.get_json()["errors"] == {"profile": {name: ["Unknown field."]}}


def test_W05_owners_never_see_what_only_staff_see(app: Flask, superuser: ApiUser) -> None:
    owner = sign_up(app)
    before = owner.get("/userapi/auth/user/").headers["ETag"]
    shown = superuser.patch(owner.url, json={"profile": {"note": "Pays late"}}).get_json()["profile"]

    assert shown["note"] == "Pays late"
    assert superuser.get(owner.url).get_json()["profile"]["note"] == "Pays late"
    for path in ("/userapi/auth/user/", owner.url, "/userapi/auth/activity/"):
        assert "note" not in owner.get(path).get_json().get("profile", {})
        assert "Pays late" not in owner.get(path).text
    assert owner.get("/userapi/auth/user/").headers["ETag"] == before


def test_W05_the_api_document_which_is_public_does_not_have_it(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    for shape in ("Profile", "NewProfile", "ProfileEdit"):
        assert "company" in document["components"]["schemas"][shape]["properties"]
        assert "note" not in document["components"]["schemas"][shape]["properties"]
    assert "note" not in str(document["paths"]["/userapi/users/"]["get"]["parameters"])


@pytest.mark.parametrize("value", ["Pays late", "Pays early", 7, None, []])
def test_W05_to_owners_such_a_field_does_not_exist(app: Flask, superuser: ApiUser, value: Any) -> None:
    owner = sign_up(app)
    superuser.patch(owner.url, json={"profile": {"note": "Pays late"}})

    for sent in (
        owner.patch("/userapi/auth/user/", json={"profile": {"note": value}}),
        owner.patch("/userapi/auth/user/", json={"profile": {"color": value}}),
        register(app, note=value),
    ):
        assert sent.status_code == 400
        assert list(sent.get_json()["errors"]["profile"].values()) == [["Unknown field."]]


def test_W05_staff_do_not_see_it_of_themselves(app: Flask, staff: ApiUser, superuser: ApiUser) -> None:
    superuser.patch(staff.url, json={"profile": {"note": "Leaves soon"}})

    assert "note" not in staff.get(staff.url).get_json()["profile"]
    assert "Leaves soon" not in staff.get("/userapi/users/").text
    assert staff.patch(staff.url, json={"profile": {"note": "Stays"}}).status_code == 400
    assert superuser.get(superuser.url).get_json()["profile"]["note"] is None


@pytest.mark.parametrize(("name", "value"), [("plan", "paid"), ("score", 7)])
def test_W06_owners_cannot_set_what_others_set(app: Flask, name: str, value: Any) -> None:
    owner = sign_up(app)

    for rejected in (
        owner.patch("/userapi/auth/user/", json={"profile": {name: value}}),
        register(app, **{name: value}),
    ):
        assert rejected.status_code == 400
        assert rejected.get_json()["errors"] == {"profile": {name: ["You cannot change this field."]}}


def test_W06_what_was_read_can_be_sent_back(app: Flask, superuser: ApiUser) -> None:
    owner = sign_up(app)
    assert superuser.patch(owner.url, json={"profile": {"plan": "paid"}}).status_code == 200
    profile = owner.get("/userapi/auth/user/").get_json()["profile"]

    sent = owner.put("/userapi/auth/user/", json={"email": owner.email, "profile": {**profile, "company": "Heron"}})

    assert sent.status_code == 200, sent.text
    assert sent.get_json()["profile"] == {**profile, "company": "Heron"}


def test_W06_it_can_be_sent_back_when_the_rules_forbid_its_value_now(
    app: Flask, declare: Declare, superuser: ApiUser
) -> None:
    owner = sign_up(app)
    superuser.patch(owner.url, json={"profile": {"plan": "paid"}})
    owner.client = declare(DECLARATION.replace('options = ["free", "paid"]', 'options = ["free"]')).test_client()
    profile = owner.get("/userapi/auth/user/").get_json()["profile"]

    sent = owner.put("/userapi/auth/user/", json={"email": owner.email, "profile": {**profile, "company": "Heron"}})
    edited = owner.patch("/userapi/auth/user/", json={"profile": {**profile, "company": "Wren"}})

    assert sent.status_code == edited.status_code == 200, sent.text
    assert edited.get_json()["profile"] == {**profile, "plan": "paid", "company": "Wren"}
    assert owner.patch("/userapi/auth/user/", json={"profile": {"plan": "free"}}).status_code == 400


def test_W06_staff_set_it_but_not_what_the_service_sets(app: Flask, superuser: ApiUser) -> None:
    owner = sign_up(app)

    assert superuser.patch(owner.url, json={"profile": {"plan": "free"}}).get_json()["profile"]["plan"] == "free"
    assert superuser.patch(owner.url, json={"profile": {"score": 7}}).status_code == 400


def test_W07_a_field_for_registrations_is_set_by_them_and_by_staff(app: Flask, superuser: ApiUser) -> None:
    owner = sign_up(app, referrer="Ada")

    assert owner.get("/userapi/auth/user/").get_json()["profile"]["referrer"] == "Ada"
    rejected = owner.patch("/userapi/auth/user/", json={"profile": {"referrer": "Grace"}})
    assert rejected.get_json()["errors"] == {"profile": {"referrer": ["You cannot change this field."]}}
    assert superuser.patch(owner.url, json={"profile": {"referrer": "Grace"}}).status_code == 200


def test_W08_tokens_separate_what_owners_say_from_what_staff_say(app: Flask, superuser: ApiUser) -> None:
    owner = sign_up(app, company="Heron Ltd")
    superuser.patch(owner.url, json={"profile": {"plan": "paid"}})

    claims = read_claims(sign_in(app, owner.email)["access_token"])

    assert claims["profile"] == {"company": "Heron Ltd"}
    assert claims["plan"] == "paid"


def test_W08_a_claim_that_does_not_exist_stops_the_start(declare: Declare) -> None:
    with pytest.raises(Exception, match=r"^ACCESS_TOKEN_CLAIMS: There is no claim score, password\. Choose from email"):
        declare(DECLARATION, ACCESS_TOKEN_CLAIMS="score,email,password")


def test_W12_a_value_that_the_rules_now_forbid_hinders_no_other_change(declare: Declare) -> None:
    owner = sign_up(declare('[profile.title]\nmax = 20\n[profile.nick]\ntype = "line"'), nick="n" * 20)
    rules = '[profile.title]\nmax = 20\n[profile.nick]\ntype = "line"\nmax = 5\n'
    owner.client = declare(rules + '[profile.team]\ntype = "line"\nrequired = "new"').test_client()

    edited = owner.patch("/userapi/auth/user/", json={"first_name": "Wren", "profile": {"title": "Dr"}})
    profile = edited.get_json()["profile"]
    sent_back = owner.patch("/userapi/auth/user/", json={"profile": {**profile, "title": "Prof"}})
    replaced = owner.put("/userapi/auth/user/", json={"email": owner.email, "profile": profile})
    another = owner.patch("/userapi/auth/user/", json={"profile": {"nick": "m" * 20, "title": "Ms"}})

    assert edited.status_code == 200, edited.text
    assert sent_back.status_code == 200, sent_back.text
    assert sent_back.get_json()["profile"] == {**profile, "title": "Prof"}
    assert list(another.get_json()["errors"]["profile"]) == ["nick"]
    assert edited.get_json()["profile"] == {"title": "Dr", "nick": "n" * 20, "team": None}
    assert replaced.status_code == 400
    assert set(replaced.get_json()["errors"]["profile"]) == {"nick", "team"}


@pytest.mark.both
def test_W14_an_edit_keeps_the_values_that_only_another_declaration_knows(app: Flask) -> None:
    owner = sign_up(app, company="Heron Ltd")
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE user_profiles SET extra = :extra WHERE user_id = :id"),
            {"extra": json.dumps({"company": "Heron Ltd", "color": "red"}), "id": owner.id},
        )

    owner.patch("/userapi/auth/user/", json={"profile": {"company": None, "tax_number": "12/345"}})

    assert read_extra(app, owner.id) == {"color": "red", "tax_number": "12/345"}


def test_W18_one_statement_reads_a_user_with_fifty_own_fields(declare: Declare) -> None:
    own = "\n".join(f'[profile.field{number}]\ntype = "line"' for number in range(49))
    app = declare(f"[profile.title]\nmax = 20\n{own}")
    owner = sign_up(app, **{f"field{number}": "value" for number in range(49)})

    with record_statements(app) as statements:
        profile = owner.get("/userapi/auth/user/").get_json()["profile"]

    assert len(profile) == 50
    assert len(statements) == 1


def test_W19_values_of_sensitive_fields_are_not_in_lists_or_the_audit_log(app: Flask, staff: ApiUser) -> None:
    owner = sign_up(app, tax_number="12/345")
    assert "12/345" in staff.get(owner.url).text
    assert "12/345" not in staff.get("/userapi/users/").text

    owner.patch("/userapi/auth/user/", json={"profile": {"tax_number": "12/678"}})

    assert changes_of(app, owner)["profile.tax_number"] == ["…", "…"]
    with app.app_context():
        assert "12/" not in str(db.session.execute(sa.text("SELECT * FROM audit_events")).all())
