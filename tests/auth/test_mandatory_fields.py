"""Fields of profiles that are mandatory: users without a value can only give one, or leave."""

import re
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser, sign_in
from tests.support.api_keys import KeyHolder, create_key
from tests.support.factories import PASSWORD, PROFILE, make_user
from tests.support.openapi import documented_operations
from tests.support.required_steps import SECURITY, refresh, require_from
from tests.support.sql import fetch_number
from tests.support.staff_client import StaffClient, sign_in_with_cookies
from tests.support.statement_counter import record_statements

Declare = Callable[..., Flask]

ME, COMPLETE = "/userapi/auth/user/", "/account/complete/"

BUILT_IN = "".join(f"[profile.{name}]\n" for name in PROFILE)
MANDATORY = f'{BUILT_IN}[profile.company]\ntype = "line"\nlabel = {{ en = "Company" }}\nrequired = "must"\n'

#: What users can do before they have given what is mandatory, besides what needs no session.
OPEN = {
    ("GET", "/userapi/auth/user/"),
    ("PUT", "/userapi/auth/user/"),
    ("PATCH", "/userapi/auth/user/"),
    ("GET", "/userapi/users/{user_id}/"),
    ("PUT", "/userapi/users/{user_id}/"),
    ("PATCH", "/userapi/users/{user_id}/"),
    ("POST", "/userapi/auth/password/change/"),
    ("POST", "/userapi/auth/prove/"),
    ("POST", "/userapi/auth/prove/options/"),
    ("GET", "/userapi/auth/data/"),
    ("GET", "/userapi/auth/user/export/"),
    ("POST", "/userapi/auth/user/close/"),
}
OPEN_PAGES = {
    "pages.show_account", "pages.edit_account", "pages.show_completion", "pages.complete_profile",
    "pages.open_first_profile", "pages.save_first_profile",
    "pages.show_password_change", "pages.change_password", "pages.show_password_changed", "pages.sign_out_user",
    "pages.show_data", "pages.download_data", "pages.show_closing", "pages.close_account",
    "pages.show_proof", "pages.prove", "pages.request_proof_code", "pages.prove_with_provider",
}  # fmt: skip


def is_incomplete(response: TestResponse) -> bool:
    return response.status_code == 403 and response.get_json()["code"] == "profile_incomplete"


def signed_in(app: Flask, **overrides: Any) -> ApiUser:
    email = f"{uuid.uuid4().hex}@example.com"
    user_id = make_user(app, email=email, **overrides)
    return ApiUser(app.test_client(), user_id, email, PASSWORD, sign_in(app, email))


def claims(user: ApiUser) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(user.tokens["access_token"], options={"verify_signature": False})
    return found


@pytest.mark.parametrize("is_staff", [False, True])
def test_W13_every_operation_but_the_listed_ones_requires_mandatory_fields(declare: Declare, is_staff: bool) -> None:
    app = declare(MANDATORY)
    user, other = signed_in(app, is_staff=is_staff, is_superuser=is_staff), make_user(app)
    operations = [found for found in documented_operations(app) if found[2]["security"]]
    assert len(operations) >= 12

    for method, path, _operation in operations:
        for user_id in {user.id, other}:
            known = path.replace("{user_id}", str(user_id)).replace("{identity_id}", "7")
            url = re.sub(r"{\w+}", str(uuid.uuid4()), re.sub("{(delivery|invitation)_id}", "7", known))
            is_open = (method, path) in OPEN and ("{user_id}" not in path or user_id == user.id)
            response = user.open(url, method=method, json={})
            text = response.text  # the export is streamed, and has to be read

            assert is_incomplete(response) != is_open, (method, url, text)
    assert user.get("/userapi/users/").get_json()["errors"] == {"profile": {"company": ["This field is required."]}}


def test_W13_pages_lead_to_what_is_missing(declare: Declare) -> None:
    app = declare(MANDATORY)
    browser = sign_in_with_cookies(app, make_user(app))
    views = app.view_functions
    closed = [
        rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("pages.") and not hasattr(views[rule.endpoint], "open_to_visitors")
    ]

    for rule in closed:
        if rule.endpoint not in OPEN_PAGES and not rule.arguments:
            is_read = "GET" in (rule.methods or ())
            response = browser.get(rule.rule) if is_read else browser.post(rule.rule)
            assert response.headers.get("Location", "").startswith(COMPLETE), rule.rule
    assert {rule.endpoint for rule in closed if hasattr(views[rule.endpoint], "open_to_incomplete")} == OPEN_PAGES


def test_W13_the_staff_site_leads_to_what_is_missing_too(declare: Declare) -> None:
    app = declare(MANDATORY)
    staff = sign_in_with_cookies(app, make_user(app, is_staff=True, is_superuser=True))

    for path in ("/admin/", "/admin/users/"):
        assert staff.get(path).headers["Location"] == f"{COMPLETE}?next={path}"
    assert staff.post("/admin/groups/new/", name="Evaders").headers["Location"] == COMPLETE
    assert fetch_number(app, "SELECT count(*) FROM groups WHERE name = 'Evaders'") == 0
    page = staff.get("/userapi/users/")
    assert (page.status_code, f'href="{COMPLETE}' in page.text) == (403, True)


def test_W13_the_answer_lifts_it_immediately(declare: Declare) -> None:
    app = declare(MANDATORY)
    user = signed_in(app)
    assert is_incomplete(user.get("/userapi/auth/sessions/"))
    assert claims(user)["profile_complete"] is False

    assert user.patch(ME, json={"profile": {"company": "Okafor"}}).status_code == 200

    assert user.get("/userapi/auth/sessions/").status_code == 200
    refresh(user)
    assert claims(user)["profile_complete"] is True


def test_W13_a_page_takes_the_answer_and_leads_on(declare: Declare) -> None:
    app = declare(MANDATORY)
    browser = sign_in_with_cookies(app, make_user(app))
    page = browser.get(browser.get("/account/devices/").headers["Location"])
    form = browser.fields(page.text)
    assert 'name="profile.company"' in page.text
    assert 'name="profile.city"' not in page.text
    assert "Skip for now" not in page.text

    rejected = browser.post(COMPLETE, **{**form, "profile.company": ""})
    accepted = browser.post(COMPLETE, **{**form, "profile.company": "Okafor"})

    assert (rejected.status_code, "This field is required." in rejected.text) == (400, True)
    assert (accepted.status_code, accepted.headers["Location"]) == (303, "/account/devices/")
    assert browser.get("/account/devices/").status_code == 200
    assert browser.get(COMPLETE).headers["Location"] == "/account/"


@pytest.mark.parametrize(("days", "is_closed"), [(1, False), (0, True)])
def test_W13_nothing_is_mandatory_before_its_day(declare: Declare, days: int, is_closed: bool) -> None:
    app = declare(f"{MANDATORY}must_from = {date.today() + timedelta(days=days)}\n")
    user = signed_in(app)

    assert is_incomplete(user.get("/userapi/auth/sessions/")) == is_closed
    assert claims(user)["profile_complete"] != is_closed
    assert user.get(ME).get_json()["missing"] == ["company"]


def test_W13_superusers_without_a_profile_are_exempt(declare: Declare) -> None:
    app = declare(MANDATORY)
    superuser = signed_in(app, is_staff=True, is_superuser=True, profile=None)
    user = signed_in(app, profile=None)

    assert superuser.get("/userapi/users/").status_code == 200
    assert is_incomplete(user.get("/userapi/auth/sessions/"))


def test_W13_who_has_no_profile_gives_all_of_it_on_the_page(declare: Declare) -> None:
    app = declare(MANDATORY)
    browser = sign_in_with_cookies(app, make_user(app, profile=None))
    form = browser.form(COMPLETE)
    assert {f"profile.{name}" for name in (*PROFILE, "company")} <= set(form)

    typed = {f"profile.{name}": text for name, text in PROFILE.items()} | {"profile.company": "Okafor"}

    assert browser.post(COMPLETE, **form | typed).status_code == 303
    assert browser.get("/account/devices/").status_code == 200


def test_W13_a_second_step_that_is_required_comes_first(declare: Declare) -> None:
    app = declare(MANDATORY)
    user_id = make_user(app)
    require_from(app, "everyone")
    browser: StaffClient = sign_in_with_cookies(app, user_id)

    assert browser.get("/account/devices/").headers["Location"] == SECURITY
    assert browser.get(SECURITY).status_code == 200


def test_W13_the_check_reads_nothing(declare: Declare) -> None:
    with_mandatory, without = declare(MANDATORY), declare(f'{BUILT_IN}[profile.company]\ntype = "line"\n')
    user = signed_in(with_mandatory)
    user.patch(ME, json={"profile": {"company": "Okafor"}})
    counts = []

    for app in (with_mandatory, without):
        user.client = app.test_client()
        user.get(ME)  # the first request opens a connection
        with record_statements(app) as statements:
            assert user.get(ME).status_code == 200
        counts.append(len(statements))

    assert counts[0] == counts[1]


def test_W01_nothing_is_said_about_missing_fields_where_none_are_prompted_for(app: Flask, caller: ApiUser) -> None:
    assert "missing" not in caller.get(ME).get_json()
    assert "profile_complete" not in claims(caller)
    assert caller.patch(ME, json={"missing": []}).status_code == 400
    document = app.test_client().get("/openapi.json").get_json()
    assert "missing" not in document["components"]["schemas"]["User"]["properties"]


def test_W56_a_key_opens_no_more_than_its_owner_can_do_without_a_mandatory_field(declare: Declare) -> None:
    before = declare(BUILT_IN)
    key = create_key(signed_in(before, is_staff=True), "profile", "profile:write", "users").key
    holder = KeyHolder(declare(MANDATORY).test_client(), "", key)

    assert is_incomplete(holder.get("/userapi/users/"))
    assert holder.get(ME).status_code == 200
    assert holder.patch(ME, json={"profile": {"company": "Acme"}}).status_code == 200
    assert holder.get("/userapi/users/").status_code == 200
