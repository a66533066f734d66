"""A second step can be required of roles and groups: without it, users can set it up and do nothing else."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD, make_user
from tests.support.openapi import documented_operations
from tests.support.required_steps import (
    SECURITY,
    refresh,
    require_from,
    requires_second_step,
    signed_in_again,
    signed_in_by_passkey,
)
from tests.support.second_factors import FACTORS, add_app, confirm_app, verify_email
from tests.support.sql import fetch_number
from tests.support.staff_client import ACCEPT_HTML, permission_id, sign_in_with_cookies, staff_client

pytestmark = pytest.mark.both

ME, USERS, CHANGE = "/userapi/auth/user/", "/userapi/users/", "/userapi/auth/email/change/"

#: What a session for set-up can do, besides what needs no session.
OPEN_TO_SET_UP = {
    ("GET", "/userapi/auth/user/"),
    ("GET", "/userapi/users/{user_id}/"),
    ("POST", "/userapi/auth/password/change/"),
    ("POST", "/userapi/auth/email/change/"),
    ("POST", "/userapi/auth/prove/"),
    ("POST", "/userapi/auth/prove/options/"),
    ("GET", "/userapi/auth/factors/"),
    ("POST", "/userapi/auth/factors/passkeys/"),
    ("POST", "/userapi/auth/factors/passkeys/options/"),
    ("POST", "/userapi/auth/factors/totp/"),
    ("POST", "/userapi/auth/factors/totp/{app_id}/confirm/"),
}
PAGES_OPEN_TO_SET_UP = {
    "pages.show_security", "pages.show_password_change", "pages.change_password", "pages.show_password_changed",
    "pages.show_proof", "pages.prove", "pages.request_proof_code", "pages.sign_out_user",
    "pages.resend_confirmation", "pages.change_email",
    "pages.show_new_app", "pages.add_app", "pages.confirm_app", "pages.add_passkey",
    "pages.show_recovery_codes", "pages.download_recovery_codes", "pages.keep_recovery_codes",
}  # fmt: skip


def audience(user: ApiUser) -> str:
    return str(jwt.decode(user.tokens["access_token"], options={"verify_signature": False})["aud"])


def make_group(app: Flask, name: str, *permissions: str) -> int:
    """Create a group that requires a second step, on the staff site; its id."""
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    ids = [permission_id(app, codename) for codename in permissions]
    made = superuser.post("/admin/groups/new/", name=name, permissions=ids, requires_second_step="true")
    assert made.status_code == 303, made.text
    return fetch_number(app, "SELECT max(id) FROM groups")


def add_to_group(app: Flask, user_id: int, name: str) -> None:
    email = fetch_email(app, user_id)
    assert app.test_cli_runner().invoke(args=["groups", "add", email, name]).exit_code == 0


def remove_from_group(app: Flask, user_id: int, name: str) -> None:
    email = fetch_email(app, user_id)
    assert app.test_cli_runner().invoke(args=["groups", "remove", email, name]).exit_code == 0


def fetch_email(app: Flask, user_id: int) -> str:
    shown = app.test_cli_runner().invoke(args=["users", "list"]).stdout
    return next(line.split("\t")[1] for line in shown.splitlines() if line.split("\t")[0] == str(user_id))


@pytest.mark.parametrize(
    ("who", "staff_keep_permissions"), [("superusers", True), ("staff", False), ("everyone", False)]
)
def test_S71_roles_lose_their_permissions_at_the_next_request_until_they_give_a_second_step(
    app: Flask, staff: ApiUser, superuser: ApiUser, who: str, staff_keep_permissions: bool
) -> None:
    assert staff.get(USERS).status_code == superuser.get(USERS).status_code == 200

    require_from(app, who)

    assert requires_second_step(superuser.get(USERS))
    assert requires_second_step(staff.get(USERS)) != staff_keep_permissions
    refresh(superuser)
    assert requires_second_step(superuser.get(USERS))
    assert signed_in_by_passkey(app, superuser).get(USERS).status_code == 200


def test_S71_staff_without_their_permissions_keep_their_own_account(app: Flask, superuser: ApiUser) -> None:
    require_from(app, "staff")

    assert superuser.get(ME).get_json()["is_superuser"] is True
    assert superuser.patch(ME, json={"first_name": "Wren"}).status_code == 200
    assert superuser.patch(ME, json={"username": "wren", "is_staff": False}).status_code == 400
    assert superuser.get(ME).get_json()["is_staff"] is True


def test_S71_the_staff_site_leads_to_the_page_that_sets_up_a_second_step(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    assert superuser.get("/admin/users/").status_code == 200

    require_from(app, "staff")

    for path in ("/admin/", "/admin/users/"):
        assert superuser.get(path).headers["Location"] == SECURITY
    assert superuser.get("/admin/nothing/").status_code == 404
    page = superuser.get(SECURITY)
    assert page.status_code == 200
    notice = page.text.index("The staff site requires two-step sign-in.")
    assert notice < page.text.index('id="email-heading"')
    assert "The staff site requires two-step sign-in." in superuser.get("/account/").text
    changed = superuser.post("/admin/groups/new/", name="Evaders")
    assert (changed.status_code, changed.headers["Location"]) == (303, SECURITY)
    assert fetch_number(app, "SELECT count(*) FROM groups WHERE name = 'Evaders'") == 0


def test_S71_the_browsable_api_shows_why(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    require_from(app, "staff")

    page = superuser.get(USERS)

    assert page.status_code == 403
    assert "Your account requires two-step sign-in" in page.text
    assert f'href="{SECURITY}">Set up two-step sign-in</a>' in page.text


def test_S71_nothing_changes_before_the_first_day(app: Flask, superuser: ApiUser) -> None:
    require_from(app, "everyone", days=1)

    browser = sign_in_with_cookies(app, superuser.id)
    for path in ("/account/", "/admin/"):
        assert "your account requires two-step sign-in." in browser.get(path).text
    assert superuser.get(USERS).status_code == 200
    assert signed_in_again(app, superuser).get(USERS).status_code == 200

    require_from(app, "everyone")

    assert requires_second_step(superuser.get(USERS))


def test_S72_a_session_for_set_up_is_accepted_only_where_it_is_listed(app: Flask, user: ApiUser) -> None:
    require_from(app, "everyone")
    limited = signed_in_again(app, user)
    operations = [found for found in documented_operations(app) if found[2]["security"]]
    assert len(operations) >= 12

    for method, path, _operation in operations:
        filled = re.sub(
            r"{\w+}",
            str(uuid.uuid4()),
            path.replace("{user_id}", str(user.id))
            .replace("{identity_id}", "7")
            .replace("{delivery_id}", "7")
            .replace("{invitation_id}", "7"),
        )
        response = limited.open(filled, method=method, json={})

        assert requires_second_step(response) != ((method, path) in OPEN_TO_SET_UP), (method, path, response.text)


def test_S72_pages_lead_to_the_set_up_too(app: Flask, user: ApiUser) -> None:
    require_from(app, "everyone")
    limited = sign_in_with_cookies(app, user.id)
    pages = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("pages.") and not rule.arguments]
    views = app.view_functions
    closed = [rule for rule in pages if not hasattr(views[rule.endpoint], "open_to_visitors")]

    for rule in closed:
        if rule.endpoint not in PAGES_OPEN_TO_SET_UP:
            is_read = "GET" in (rule.methods or ())
            response = limited.get(rule.rule) if is_read else limited.post(rule.rule)
            assert response.headers.get("Location") == SECURITY, rule.rule
    assert {rule.endpoint for rule in closed if hasattr(views[rule.endpoint], "open_to_set_up")} == PAGES_OPEN_TO_SET_UP
    security = limited.get(SECURITY)
    assert security.status_code == 200
    assert "Your account requires two-step sign-in. Set it up to continue." in security.text
    assert "Your account requires two-step sign-in." in limited.get("/password_change/").text
    assert limited.post("/logout/").status_code == 303
    assert fetch_number(app, "SELECT count(*) FROM login_sessions WHERE ended_at IS NULL AND for_set_up") == 0


def test_S72_no_other_service_accepts_the_tokens_of_a_session_for_set_up(app: Flask, user: ApiUser) -> None:
    require_from(app, "everyone")
    limited = signed_in_again(app, user)
    client, token = app.test_client(), {"token": limited.tokens["access_token"]}

    assert (audience(user), audience(limited)) == ("userapi", "userapi-set-up")
    assert requires_second_step(client.post("/api-token-verify/", json=token))
    refresh(limited)
    assert audience(limited) == "userapi-set-up"
    full = signed_in_by_passkey(app, user)
    assert audience(full) == "userapi"
    assert client.post("/api-token-verify/", json={"token": full.tokens["access_token"]}).status_code == 200


@pytest.mark.parametrize("who", ["staff", "everyone", "members"])
def test_S71_claims_say_what_a_session_may_do(make_app: Callable[..., Flask], who: str) -> None:
    app = make_app(ACCESS_TOKEN_CLAIMS="email,is_staff,is_superuser,groups")
    user_id = make_user(app, is_staff=True, is_superuser=True)
    email = fetch_email(app, user_id)
    before = ApiUser(app.test_client(), user_id, email, PASSWORD, sign_in(app, email))
    assert read_permissions(before) == [True, True, ["Staff"]]

    if who == "members":
        make_group(app, "Payments")
        add_to_group(app, user_id, "Payments")
    else:
        require_from(app, who)
    refresh(before)

    assert read_permissions(before) == read_permissions(signed_in_again(app, before)) == [False, False, []]
    groups = ["Payments", "Staff"] if who == "members" else ["Staff"]
    full = signed_in_by_passkey(app, before)
    assert read_permissions(full) == [True, True, groups]
    refresh(full)
    assert read_permissions(full) == [True, True, groups]


def read_permissions(user: ApiUser) -> list[Any]:
    """The claims about permissions in the access token."""
    claims = jwt.decode(user.tokens["access_token"], options={"verify_signature": False})
    assert claims["email"] == user.email
    return [claims[name] for name in ("is_staff", "is_superuser", "groups")]


def test_S72_a_session_for_set_up_stays_one_when_the_requirement_ends(app: Flask, superuser: ApiUser) -> None:
    require_from(app, "staff")
    limited = signed_in_again(app, superuser)

    require_from(app, "none")
    refresh(limited)

    assert requires_second_step(limited.get(USERS))
    assert requires_second_step(limited.get(f"{USERS}{superuser.id + 1}/"))
    assert limited.get(superuser.url).status_code == 200
    assert signed_in_again(app, superuser).get(USERS).status_code == 200


def test_S72_a_session_for_set_up_corrects_an_address_that_was_never_confirmed(
    app: Flask, user: ApiUser, other_user: ApiUser
) -> None:
    require_from(app, "everyone")
    verify_email(app, other_user.id)
    mistyped, confirmed = signed_in_again(app, user), signed_in_again(app, other_user)
    assert mistyped.post(f"{FACTORS}totp/", json={}).get_json()["code"] == "email_unverified"
    body = {"email": "right@example.com", "password": user.password}

    assert requires_second_step(confirmed.post(CHANGE, json=body))
    assert requires_second_step(mistyped.patch(ME, json={"email": body["email"], "current_password": user.password}))
    assert mistyped.post(CHANGE, json={**body, "password": "wrong"}).status_code == 400
    assert mistyped.post(CHANGE, json=body).status_code == 202

    token = emails_to(app, "right@example.com")[0].token
    assert app.test_client().post("/userapi/auth/email/verify/", json={"token": token}).status_code == 200
    assert confirm_app(mistyped, add_app(mistyped)).status_code == 201
    assert requires_second_step(mistyped.get(USERS))  # these tokens were issued for set-up
    page = sign_in_with_cookies(app, other_user.id).post("/account/security/email/", email="left@example.com")
    assert (page.status_code, page.headers["Location"]) == (303, SECURITY)
    assert fetch_number(app, "SELECT count(*) FROM users WHERE pending_email IS NOT NULL") == 0


def test_S72_a_new_account_has_to_set_up_a_second_step(app: Flask, make_api_user: Callable[..., ApiUser]) -> None:
    require_from(app, "everyone")
    page = app.test_client()
    visit = page.get("/register/", headers=ACCEPT_HTML).text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', visit))
    typed = {"email": "new@example.com", "password": "velvet tram outside 7"}

    assert page.post("/register/", data={**hidden, **typed}, headers=ACCEPT_HTML).status_code == 303

    assert page.get("/account/", headers=ACCEPT_HTML).headers["Location"] == SECURITY


def test_S73_members_of_a_group_need_a_second_step_as_long_as_they_are_members(app: Flask, staff: ApiUser) -> None:
    make_group(app, "Payments", "view_user")
    assert staff.get(USERS).status_code == 200

    add_to_group(app, staff.id, "Payments")

    assert requires_second_step(staff.get(USERS))
    assert requires_second_step(staff.get("/userapi/auth/sessions/"))
    limited = signed_in_again(app, staff)
    assert requires_second_step(limited.get(USERS))

    remove_from_group(app, staff.id, "Payments")

    assert staff.get(USERS).status_code == 200
    assert requires_second_step(limited.get(USERS))

    add_to_group(app, staff.id, "Payments")

    assert requires_second_step(staff.get(USERS))
    assert requires_second_step(limited.get(USERS))
    assert signed_in_by_passkey(app, staff).get(USERS).status_code == 200


def test_S73_a_group_can_begin_and_stop_to_require_it(app: Flask, staff: ApiUser) -> None:
    make_group(app, "Payments", "view_user")
    add_to_group(app, staff.id, "Payments")
    run = app.test_cli_runner()

    stopped = run.invoke(args=["groups", "change", "Payments", "--no-require-second-step"])
    assert (stopped.exit_code, stopped.stdout) == (0, "The group Payments no longer requires a second step.\n")
    assert staff.get(USERS).status_code == 200

    begun = run.invoke(args=["groups", "change", "Payments", "--require-second-step"])
    assert (begun.exit_code, begun.stdout) == (0, "The group Payments now requires a second step.\n")
    assert requires_second_step(staff.get(USERS))
    assert "Payments\t1\tview_user\trequired" in run.invoke(args=["groups", "list"]).stdout
    events = run.invoke(args=["audit", "tail"]).stdout
    assert events.count("group.changed") == 2


def test_S73_only_staff_with_the_permissions_of_a_group_change_what_it_requires(app: Flask) -> None:
    group_id = make_group(app, "Payments", "view_user", "delete_user")
    path = f"/admin/groups/{group_id}/"
    editor = staff_client(app, is_staff=True, permissions=("view_group", "change_group", "view_user"))
    form = {**editor.form(path), "permissions": [permission_id(app, name) for name in ("view_user", "delete_user")]}
    assert form["requires_second_step"] == "true"

    form.pop("requires_second_step")

    assert editor.post(path, **form).status_code == 403
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    assert superuser.post(path, **{**superuser.form(path), "requires_second_step": ""}).status_code == 303
    assert fetch_number(app, "SELECT count(*) FROM groups WHERE requires_second_step") == 0


def test_S74_staff_made_during_a_session_have_no_permissions_in_it(
    app: Flask, user: ApiUser, superuser: ApiUser
) -> None:
    require_from(app, "staff")
    by = signed_in_by_passkey(app, superuser)

    promoted = by.patch(user.url, json={"is_staff": True, "is_superuser": True})

    assert promoted.status_code == 200, promoted.text
    assert user.get(ME).get_json()["is_superuser"] is True
    assert requires_second_step(user.get(USERS))
    assert requires_second_step(user.patch(superuser.url, json={"first_name": "Mallory"}))
