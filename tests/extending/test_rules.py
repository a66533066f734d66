"""Rules of extensions: they deny acts of the API, the pages and staff, and nothing of a denied act is kept."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.extensions import Extend
from tests.support.extensions import extend as extend
from tests.support.factories import PASSWORD, PROFILE, make_account, make_user, new_user
from tests.support.form_browser import FormBrowser
from tests.support.passkeys import add_passkey, sign_in_by_passkey
from tests.support.second_factors import set_up_app
from tests.support.sql import fetch_number, fetch_rows
from userapi.auth.problems import InvalidCredentials
from userapi.bulk import rules as bulk_rules
from userapi.core.db import db
from userapi.core.hooks import InvalidHook, Rule
from userapi.core.problems import Problem
from userapi.users.models import User

USERS = "/userapi/users/"


class Rival(Problem):
    """A problem of an extension."""

    status = 409
    code = "rival"
    title = "A rival"
    example_errors: ClassVar = {}


def deny(*_arguments: Any) -> None:
    raise Rival("You work for a rival.", errors={"email": ["Not from there."], "profile": {"city": ["Not there."]}})


def fail(*_arguments: Any) -> None:
    raise LookupError("s3cret")


def count_users(app: Flask) -> int:
    return fetch_number(app, "SELECT count(*) FROM users")


def test_W24_a_rule_denies_a_registration_with_its_own_status_code_and_fields(
    app: Flask, client: FlaskClient, extend: Extend
) -> None:
    extend(rules=[Rule("user.create", deny)])

    response = client.post(USERS, json=new_user())

    problem = response.get_json()
    assert (response.status_code, problem["code"], problem["detail"]) == (409, "rival", "You work for a rival.")
    assert problem["errors"] == {"email": ["Not from there."], "profile": {"city": ["Not there."]}}
    assert count_users(app) == 0
    assert fetch_number(app, "SELECT count(*) FROM audit_events") == 0
    assert fetch_number(app, "SELECT count(*) FROM messages") == 0


def test_W24_an_unexpected_error_of_a_rule_is_a_500_without_its_text(
    app: Flask, client: FlaskClient, extend: Extend
) -> None:
    extend(rules=[Rule("user.create", fail)])

    response = client.post(USERS, json=new_user())

    assert (response.status_code, response.get_json()["code"]) == (500, "internal_error")
    assert "s3cret" not in response.text
    assert count_users(app) == 0


def test_W24_errors_of_a_rule_are_shown_beside_their_fields_in_forms(app: Flask, extend: Extend) -> None:
    extend(rules=[Rule("user.edit", deny)])
    email = make_account(app)
    browser = FormBrowser(app)
    browser.sign_in(email)
    form = {f"profile.{name}": text for name, text in PROFILE.items()} | {"first_name": "Robin", "last_name": ""}

    page = browser.send("/account/", {**form, "username": "", "profile.city": "York"})

    assert page.status_code == 409
    assert "Not there." in page.text
    assert 'value="Robin"' in page.text
    assert fetch_rows(app, "SELECT first_name FROM users")[0][0] == "Wren"


def test_a_rule_sees_the_change_and_who_makes_it_and_can_change_the_user(
    app: Flask, extend: Extend, superuser: ApiUser, user: ApiUser
) -> None:
    seen: list[tuple[Any, ...]] = []

    def capitalize(found: User, changes: Mapping[str, Any], by: Any) -> None:
        seen.append((found.id, dict(changes), by and by.id))
        found.last_name = found.last_name.upper()

    extend(rules=[Rule("user.edit", capitalize), Rule("user.create", capitalize)])

    response = superuser.patch(user.url, json={"last_name": "Okri"})
    registered = app.test_client().post(USERS, json=new_user(last_name="Reed"))

    assert response.get_json()["last_name"] == "OKRI"
    assert registered.get_json()["last_name"] == "REED"
    assert seen[0] == (user.id, {"last_name": "Okri"}, superuser.id)
    assert (seen[1][0], seen[1][2]) == (None, None)
    [changes] = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'user.changed'")[0]
    assert "OKRI" in str(changes)


def test_W24_rules_of_deletion_bind_the_api_staff_and_bulk_actions(
    app: Flask, extend: Extend, superuser: ApiUser, user: ApiUser
) -> None:
    extend(rules=[Rule("user.delete", deny), Rule("user.edit", deny)])

    response = superuser.delete(user.url)

    assert (response.status_code, response.get_json()["code"]) == (409, "rival")
    with app.app_context():
        by = db.session.get(User, superuser.id)
        for action in ("delete", "deactivate"):
            with pytest.raises(Problem, match="You work for a rival"):
                bulk_rules.act_on_account(action, user.id, by=by)  # type: ignore[arg-type]
            db.session.rollback()
    assert count_users(app) == 2
    assert fetch_number(app, "SELECT count(*) FROM users WHERE is_active") == 2


def test_W24_a_rule_of_passwords_binds_every_way_to_set_one_and_its_error_names_the_field(
    client: FlaskClient, extend: Extend, user: ApiUser
) -> None:
    def check(_user: User, changes: Mapping[str, Any], _by: Any) -> None:
        if "tram" in changes["password"]:
            raise Rival("No trams.", errors={"password": ["No trams."]})

    extend(rules=[Rule("password", check)])

    registered = client.post(USERS, json=new_user())
    new = "silver tram inside 8"
    body = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    changed = user.post("/userapi/auth/password/change/", json=body)

    assert registered.get_json()["errors"] == {"password": ["No trams."]}
    assert changed.get_json()["errors"] == {"new_password1": ["No trams."]}


@pytest.mark.both
def test_W24_a_rule_denies_every_way_to_sign_in_and_keeps_nothing(
    app: Flask, client: FlaskClient, extend: Extend
) -> None:
    """Also with a problem of our own, after which we commit what we have written ourselves."""
    email = make_account(app, email_verified=True)
    ways: list[str] = []

    def deny_all(_user: User, facts: Mapping[str, Any], _by: Any) -> None:
        ways.append(facts["way"])
        raise InvalidCredentials("Not today.")

    extend(rules=[Rule("sign_in", deny_all)])

    by_password = client.post("/api-token-auth/", json={"email": email, "password": PASSWORD})
    page = FormBrowser(app).sign_in(email)

    assert (by_password.get_json()["code"], by_password.get_json()["detail"]) == ("invalid_credentials", "Not today.")
    assert "Not today." in page.text
    assert ways == ["password", "password"]
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == 0
    assert fetch_number(app, "SELECT count(*) FROM users WHERE last_login IS NOT NULL") == 0


def test_W24_the_rule_of_sign_ins_binds_passkeys_and_second_steps_and_counts_no_right_code_as_wrong(
    app: Flask, client: FlaskClient, extend: Extend
) -> None:
    with_app, with_passkey = make_user(app, email="app@example.com"), make_user(app, email_verified=True)
    phone, _codes = set_up_app(app, with_app)
    ways: list[Any] = []

    def deny_all(_user: User, facts: Mapping[str, Any], _by: Any) -> None:
        ways.append((facts["way"], facts["amr"]))
        deny()

    extend(rules=[Rule("sign_in", deny_all)])

    first = client.post("/api-token-auth/", json={"email": "app@example.com", "password": PASSWORD}).get_json()
    second = {"mfa_token": first["mfa_token"], "code": phone.code()}
    by_code = [client.post("/userapi/auth/login/second-step/", json=second) for _time in range(2)]
    by_passkey = sign_in_by_passkey(app, add_passkey(app, with_passkey))

    assert [response.get_json()["code"] for response in (*by_code, by_passkey)] == ["rival"] * 3
    assert ways == [("password", ["pwd", "otp", "mfa"])] * 2 + [("passkey", ["pop", "mfa"])]
    assert fetch_number(app, "SELECT count(*) FROM login_sessions") == 0
    assert fetch_number(app, "SELECT max(failures) FROM second_factors") == 0


def test_a_rule_with_a_wrong_name_is_reported(extend: Extend) -> None:
    with pytest.raises(InvalidHook, match=r"shop: rule 'user\.make': Not one of user\.create"):
        extend(rules=[Rule("user.make", deny)])
