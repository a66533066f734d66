"""Sessions that a code by email began, and whose user became staff later: a mailbox alone opens nothing of staff."""

from collections.abc import Callable

import jwt
import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, make_user
from tests.support.form_browser import FormBrowser
from tests.support.mailed_codes import code_in, confirm, newest_email, request_code
from tests.support.proofs import PROVE, submit_shown_form
from tests.support.sql import execute_sql
from tests.support.staff_client import staff_client

EMAIL = "wren@example.com"
USERS = "/userapi/users/"
ROLE = {"is_staff": True, "is_superuser": True}


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """The application with codes by email, and with claims that other services read."""
    return make_app(SIGN_IN_BY_MAIL="code", ACCESS_TOKEN_CLAIMS="is_staff,is_superuser")


def sign_in_by_code(app: Flask) -> ApiUser:
    """A user in a session that a code by email began."""
    user_id = make_user(app, email=EMAIL, email_verified=True)
    challenge = request_code(app, EMAIL)
    tokens = confirm(app, challenge=challenge, code=code_in(newest_email(app, EMAIL))).get_json()
    return ApiUser(app.test_client(), user_id, EMAIL, PASSWORD, tokens)


def refreshed_claims(user: ApiUser) -> dict[str, bool]:
    """What the next access token of a session says about the role."""
    answer = user.client.post("/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]})
    assert answer.status_code == 200, answer.text
    user.tokens = {**user.tokens, **answer.get_json()}
    claims = jwt.decode(user.tokens["access_token"], options={"verify_signature": False})
    return {name: claims[name] for name in ROLE}


def promote(app: Flask) -> None:
    """Make everyone staff, behind the back of every rule, as an import or a migration of the operator may."""
    execute_sql(app, "UPDATE users SET is_staff = true, is_superuser = true")


def test_a_session_begun_by_a_code_has_no_permissions_of_staff_until_the_password_is_proved(app: Flask) -> None:
    user = sign_in_by_code(app)
    promote(app)

    needed = user.get(USERS)
    assert (needed.status_code, needed.get_json()["code"]) == (403, "proof_needed")
    assert needed.get_json()["ways"] == ["password"]
    assert user.delete(f"{USERS}{make_user(app)}/").get_json()["code"] == "proof_needed"
    assert user.get("/userapi/auth/user/").status_code == 200
    assert not any(refreshed_claims(user).values())
    old_token = user.tokens["access_token"]
    proved = user.post(PROVE, json={"password": PASSWORD})
    user.tokens = {**user.tokens, **proved.get_json()}

    assert user.get(USERS).status_code == 200
    assert refreshed_claims(user) == ROLE
    assert user.get(USERS, headers={"Authorization": f"Bearer {old_token}"}).status_code == 403


def test_the_staff_site_asks_for_the_password_after_a_sign_in_by_code(app: Flask) -> None:
    make_user(app, email=EMAIL, email_verified=True)
    browser = FormBrowser(app)
    sent = browser.follow(browser.send("/login/code/", {"email": EMAIL}))
    submit_shown_form(browser.client, sent, code=code_in(newest_email(app, EMAIL)))
    assert browser.get("/account/").status_code == 200
    promote(app)

    page = browser.follow(browser.get("/admin/"))
    assert "Confirm that it is you" in page.text
    proved = submit_shown_form(browser.client, page, password=PASSWORD)

    assert proved.headers["Location"] == "/admin/"
    assert browser.get("/admin/").status_code == 200


def test_sessions_begun_by_codes_are_full_ones_where_staff_may_use_codes(app: Flask) -> None:
    app.config["SIGN_IN_BY_MAIL_STAFF"] = True
    user = sign_in_by_code(app)
    promote(app)

    assert user.get(USERS).status_code == 200
    assert refreshed_claims(user) == ROLE


def test_the_api_says_how_staff_without_a_password_set_one(app: Flask) -> None:
    user = sign_in_by_code(app)
    execute_sql(app, "UPDATE users SET password_hash = NULL")
    promote(app)

    needed = user.get(USERS).get_json()

    assert needed["ways"] == []
    assert "POST /userapi/auth/password/reset/" in needed["detail"]


def test_the_staff_site_warns_of_new_staff_without_a_password(app: Flask) -> None:
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    for password, is_warned in ((None, True), (PASSWORD, False)):
        user_id = make_user(app, password=password)
        path = f"/admin/users/{user_id}/access/"
        response = superuser.post(path, **{**superuser.form(path), "is_staff": "true", "go_on": ""})
        assert response.status_code == 303, response.text
        page = superuser.get(response.headers["Location"]).text

        assert "This user is now staff" in page
        assert ("has no password" in page) is is_warned
