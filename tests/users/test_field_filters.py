"""Filters of user lists by own profile fields."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_user
from tests.support.plans import explain_list
from tests.support.statement_counter import record_statements
from userapi.core import clock
from userapi.core.db import db
from userapi.users import field_key_queries, field_keys
from userapi.users import search as search_rules
from userapi.users.declaration import get_declaration
from userapi.users.field_filters import FieldFilter
from userapi.users.models import User

pytestmark = pytest.mark.both

LIST = "/userapi/users/"

DECLARATION = """
[profile.company]
type = "line"
find = "beginning"
[profile.vat_id]
type = "line"
find = "exact"
[profile.employees]
type = "integer"
find = "exact"
[profile.rate]
type = "decimal"
find = "exact"
[profile.is_member]
type = "flag"
find = "exact"
[profile.topics]
type = "choices"
options = ["News", "Tips, tricks"]
find = "exact"
[profile.work_email]
type = "email"
find = "beginning"
[profile.mobile]
type = "phone"
find = "beginning"
[profile.note]
type = "line"
read = "staff"
write = "staff"
find = "exact"
[profile.motto]
type = "line"
"""

WREN: dict[str, Any] = {
    "company": "Kestrel & Söhne", "vat_id": "DE 1", "employees": -12, "rate": "1.50", "is_member": True,
    "topics": ["News", "Tips, tricks"], "work_email": "Office@Example.com", "mobile": "+442079460018", "note": "VIP",
    "motto": "Sing",
}  # fmt: skip
FINCH: dict[str, Any] = {
    "company": "Lark Ltd", "vat_id": "DE 2", "employees": 12, "rate": "1.51", "is_member": False, "topics": ["News"],
    "work_email": "sales@example.com", "mobile": "+442079460019", "note": "new",
}  # fmt: skip


@pytest.fixture
def app(declare: Callable[..., Flask]) -> Flask:
    """An application with searchable fields, whose keys are complete."""
    app = declare(DECLARATION)
    complete_keys(app)
    return app


def complete_keys(app: Flask) -> None:
    with app.app_context():
        field_keys.declare(get_declaration().fields, (), ())
        db.session.commit()


@pytest.fixture
def staff(app: Flask) -> ApiUser:
    """A member of staff, and the users Wren and Finch."""
    email = "staff@example.com"
    user_id = make_user(app, email=email, profile=None, is_staff=True)
    staff = ApiUser(app.test_client(), user_id, email, PASSWORD, sign_in(app, email))
    for name, profile in (("wren", WREN), ("finch", FINCH)):
        made = make_user(app, email=f"{name}@example.com", profile=None)
        response = staff.patch(f"{LIST}{made}/", json={"profile": profile})
        assert response.status_code == 200, response.text
    return staff


def find(staff: ApiUser, **query: str) -> list[str]:
    """The names of the users in a list with these filters, `company="Wren"` for `profile.company`."""
    response = staff.get(LIST, query_string={f"profile.{name}": value for name, value in query.items()})
    assert response.status_code == 200, response.text
    return [row["email"].partition("@")[0] for row in response.get_json()["results"]]


#: Of each field, texts that find Wren, and texts that find no one.
TEXTS = {
    "company": (("Kestrel & Söhne", "KEST", "kestrel & s", "Ｋestrel"), ("estrel", "Söhne", "kestrel %", "k_st")),
    "vat_id": (("DE 1", "de 1"), ("DE", "DE 10", "%", "VIP")),
    "employees": (("-12",), ("1", "-120")),
    "rate": (("1.50", "1.5", "1.500"), ("1", "1.505")),
    "is_member": (("true", "True"), ()),
    "topics": (("Tips, tricks",), ()),
    "work_email": (("office@example.com", "OFFICE", "off"), ("example.com", "fice@")),
    "mobile": (("+442079460018", "+44 20 7946-0018"), ("2079460018", "+4920")),
    "note": (("vip",), ("v", "vips")),
}


def test_W16_a_filter_finds_users_by_a_field_of_any_kind(staff: ApiUser) -> None:
    for name, (found, not_found) in TEXTS.items():
        for text in found:
            assert find(staff, **{name: text}) == ["wren"], text
        for text in not_found:
            assert find(staff, **{name: text}) == [], text


def test_W16_filters_are_combined_with_each_other_and_with_pages_and_counts(staff: ApiUser) -> None:
    assert find(staff, topics="News") == ["wren", "finch"]
    assert find(staff, topics="News", company="lark", vat_id="de 2") == ["finch"]
    assert find(staff, company="lark", vat_id="DE 1") == []

    first = staff.get(LIST, query_string={"profile.topics": "News", "limit": 1, "ordering": "-email", "count": "true"})
    second = staff.get(first.get_json()["next"])

    emails = [page.get_json()["results"][0]["email"] for page in (first, second)]
    assert emails == ["wren@example.com", "finch@example.com"]
    assert (first.get_json()["count"], second.get_json()["next"]) == (2, None)


def test_W16_a_filter_follows_changes_and_deletions(app: Flask, staff: ApiUser) -> None:
    (wren,) = staff.get(LIST, query_string={"profile.vat_id": "DE 1"}).get_json()["results"]

    staff.patch(wren["url"], json={"profile": {"vat_id": "DE 3", "topics": ["News"]}})
    assert (find(staff, vat_id="DE 1"), find(staff, vat_id="DE 3"), find(staff, topics="Tips, tricks")) == (
        [], ["wren"], [],
    )  # fmt: skip
    staff.patch(wren["url"], json={"profile": {"vat_id": None}})
    assert find(staff, vat_id="DE 3") == []
    assert staff.delete(wren["url"]).status_code == 204
    assert find(staff, company="kest") == []


REJECTED = (
    ("motto", "x"), ("title", "x"), ("unknown", "x"), ("", "x"), ("company.x", "x"), ("company", ""), ("company", " "),
    ("company", "a\x00"), ("company", "x" * 255), ("employees", "x"), ("rate", "1e3"), ("is_member", "yes"),
    ("topics", "Other"), ("vat_id", ""),
)  # fmt: skip


def test_W16_fields_without_find_and_invalid_values_are_rejected_by_name(staff: ApiUser) -> None:
    for name, text in REJECTED:
        response = staff.get(LIST, query_string={f"profile.{name}": text})

        assert response.status_code == 400, (name, text)
        assert list(response.get_json()["errors"]) == [f"profile.{name}"], text


def test_W16_a_page_with_a_filter_costs_two_statements(app: Flask, staff: ApiUser) -> None:
    find(staff, company="kest")

    with record_statements(app) as statements:
        assert find(staff, company="kest", vat_id="DE 1") == ["wren"]

    assert len(statements) == 2


def test_W16_the_keys_find_the_users_of_a_filter_and_of_a_search(app: Flask) -> None:
    with app.app_context():
        columns = dict.fromkeys(("first_name", "last_name", "first_name_key", "last_name_key"), "")
        rows = [
            {"id": n, "email": f"{n}@x", "email_key": f"{n}@x", "date_joined": clock.now(), **columns}
            for n in range(1, 3001)
        ]
        db.session.execute(sa.insert(User), rows)
        field_key_queries.insert_keys(
            field_key_queries.Key(name, f"{name} {n}", n, False)
            for n in range(1, 3001)
            for name in ("company", "vat_id")
        )
        db.session.commit()
        db.session.execute(sa.text("ANALYZE"))
        db.session.commit()
    key = "pk_user_field_keys" if "postgresql" in app.config["DATABASE_URL"] else "user_field_keys_1 (field=? AND key"

    for filters in (
        {"profile": {"vat_id": FieldFilter("vat_id 7", False)}},
        {"profile": {"company": FieldFilter("company 77", True)}},
        {"search": "company 77"},
    ):
        for ordering in ("id", "-date_joined", "email"):
            plan = explain_list(app, filters, ordering)

            assert key in plan, (filters, ordering, plan)
            assert "Seq Scan on user_field_keys" not in plan
            assert "SCAN user_field_keys" not in plan


def search(staff: ApiUser, text: str) -> list[str]:
    response = staff.get(LIST, query_string={"search": text})
    return [row["email"].partition("@")[0] for row in response.get_json()["results"]]


def test_W16_search_reaches_the_beginnings_of_fields(staff: ApiUser) -> None:
    for text in ("Kestrel & Söhne", "kestrel", "ke", "  kestrel   & ", "office@example.com", "+442079460018"):
        assert search(staff, text) == ["wren"], text
    for text in ("estrel", "söhne", "k_st", "de 1", "vip", "k%"):
        assert search(staff, text) == [], text
    assert search(staff, "+4420794600") == ["wren", "finch"]
    assert search(staff, "finch") == ["finch"]


def test_W16_search_combines_fields_with_names_and_filters(app: Flask, staff: ApiUser) -> None:
    make_user(app, email="kestrel@example.com", first_name="Larky", profile=None)

    assert search(staff, "kestrel") == ["wren", "kestrel"]
    assert search(staff, "lark") == ["finch", "kestrel"]
    assert search(staff, "la") == ["finch", "kestrel"]
    filtered = staff.get(LIST, query_string={"search": "kestrel", "profile.vat_id": "de 1"})
    assert [row["email"] for row in filtered.get_json()["results"]] == ["wren@example.com"]


def test_W16_search_finds_the_same_users_if_a_text_is_common(staff: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_rules, "MAX_INDEXED", {"postgresql": 0, "sqlite": 0})

    for text in ("kestrel", "ke", "office@example.com"):
        assert search(staff, text) == ["wren"], text
    assert search(staff, "+4420794600") == ["wren", "finch"]


def test_W17_search_does_not_reach_fields_while_their_keys_are_incomplete(app: Flask, staff: ApiUser) -> None:
    with app.app_context():
        field_keys.forget("company")
        db.session.commit()

    assert search(staff, "kestrel") == []
    assert search(staff, "office@") == ["wren"]


def test_W16_the_document_lists_the_filters_of_what_owners_see(app: Flask) -> None:
    document = app.test_client().get("/openapi.json").get_json()

    names = [parameter["name"] for parameter in document["paths"]["/userapi/users/"]["get"]["parameters"]]
    assert [name for name in names if name.startswith("profile.")] == [
        "profile.company", "profile.vat_id", "profile.employees", "profile.rate", "profile.is_member",
        "profile.topics", "profile.work_email", "profile.mobile",
    ]  # fmt: skip


def test_W17_a_filter_is_an_error_while_keys_are_incomplete(app: Flask, staff: ApiUser) -> None:
    with app.app_context():
        field_keys.forget("company")
        db.session.commit()

    response = staff.get(LIST, query_string={"profile.company": "kest", "profile.vat_id": "DE 1"})

    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (400, "not_searchable_yet")
    assert list(problem["errors"]) == ["profile.company"]
    assert "flask fields reindex company" in problem["errors"]["profile.company"][0]
    assert find(staff, vat_id="DE 1") == ["wren"]
