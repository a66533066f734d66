"""What ends API keys, on every host and with the next request."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.api_keys import KEYS, KeyHolder, create_key
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD
from tests.support.password_reset import confirm_reset, reset_link
from tests.support.staff_client import sign_in_with_cookies
from userapi.auth.api_key_models import ApiKey
from userapi.core import clock
from userapi.core.db import db
from userapi.users.models import User

NEW = "copper kettle upstairs 4"


def expire(app: Flask, _owner: ApiUser, _superuser: ApiUser) -> None:
    with app.app_context():
        db.session.execute(sa.update(ApiKey).values(expires_at=clock.now() - timedelta(seconds=1)))
        db.session.commit()


def deactivate(_app: Flask, owner: ApiUser, superuser: ApiUser) -> None:
    for is_active in (False, True):
        assert superuser.patch(owner.url, json={"is_active": is_active}).status_code == 200


def deactivate_without_the_service(app: Flask, owner: ApiUser, _superuser: ApiUser) -> None:
    with app.app_context():
        db.session.execute(sa.update(User).where(User.id == owner.id).values(is_active=False))
        db.session.commit()


def undo_change_of_email(app: Flask, owner: ApiUser, _superuser: ApiUser) -> None:
    change = {"email": "thief@example.org", "password": PASSWORD}
    assert owner.post("/userapi/auth/email/change/", json=change).status_code == 202
    for path, email, kind in (
        ("verify", change["email"], "confirm_new_email"), ("undo", owner.email, "email_changed")
    ):  # fmt: skip
        token = emails_to(app, email, kind)[-1].token
        response = app.test_client().post(f"/userapi/auth/email/{path}/", json={"token": token})
        assert response.status_code == 200, response.text


def delete(_app: Flask, owner: ApiUser, superuser: ApiUser) -> None:
    assert superuser.delete(owner.url).status_code == 204


def end_sessions_and_keys(_app: Flask, owner: ApiUser, _superuser: ApiUser) -> None:
    assert owner.delete("/userapi/auth/sessions/?keys=true").status_code == 204


def end_sessions_and_keys_by_body(_app: Flask, owner: ApiUser, _superuser: ApiUser) -> None:
    assert owner.delete("/userapi/auth/sessions/", json={"keys": True}).status_code == 204


def set_password_at_command_line(app: Flask, owner: ApiUser, _superuser: ApiUser) -> None:
    result = app.test_cli_runner().invoke(args=["users", "set-password", owner.email], env={"USER_PASSWORD": NEW})
    assert result.exit_code == 0, result.output


def turn_keys_off(app: Flask, _owner: ApiUser, _superuser: ApiUser) -> None:
    app.config["API_KEY_MAX_LIFETIME"] = 0


def reset_password_by_email(app: Flask, owner: ApiUser, _superuser: ApiUser) -> None:
    assert confirm_reset(app.test_client(), reset_link(app, owner.email)).status_code == 200


def set_password_by_staff(app: Flask, owner: ApiUser, superuser: ApiUser) -> None:
    pages = sign_in_with_cookies(app, superuser.id)
    page = f"/admin/users/{owner.id}/password/"
    assert pages.post(page, password1=NEW, password2=NEW, own_password=PASSWORD).status_code in (302, 303)


@pytest.mark.parametrize(
    "end",
    [
        expire, deactivate, deactivate_without_the_service, delete, end_sessions_and_keys,
        end_sessions_and_keys_by_body, undo_change_of_email, reset_password_by_email, set_password_by_staff,
        set_password_at_command_line, turn_keys_off,
    ],
)  # fmt: skip
def test_W55_a_key_ends_with_the_next_request(
    app: Flask,
    make_api_user: Callable[..., ApiUser],
    superuser: ApiUser,
    end: Callable[[Flask, ApiUser, ApiUser], None],
) -> None:
    owner = make_api_user(email_verified=True)
    holder = create_key(owner)
    assert holder.code is None

    end(app, owner, superuser)

    assert holder.code == "token_invalid"


def test_W55_a_key_ends_on_another_host_too(make_app: Any, make_api_user: Callable[..., ApiUser]) -> None:
    owner, other_host = make_api_user(), make_app()
    holder = create_key(owner)
    there = KeyHolder(other_host.test_client(), holder.id, holder.key)
    assert there.code is None

    assert owner.delete(f"{KEYS}{holder.id}/").status_code == 204

    assert there.code == "token_invalid"


@pytest.mark.parametrize("end", [reset_password_by_email, set_password_by_staff, set_password_at_command_line])
def test_the_email_about_a_new_password_names_the_keys_that_were_revoked(
    app: Flask,
    make_api_user: Callable[..., ApiUser],
    superuser: ApiUser,
    end: Callable[[Flask, ApiUser, ApiUser], None],
) -> None:
    owner = make_api_user(email_verified=True)
    keys = [create_key(owner, name=name).key for name in ("Nightly report", "Visit www.example.com")]

    end(app, owner, superuser)

    (sent_email,) = emails_to(app, owner.email, "password_changed")
    for body in (sent_email.text, sent_email.html):
        assert all(f"(…{key[-4:]})" in body for key in keys)
        assert "API keys were revoked" in body
        assert "Nightly report (…" in body
        assert "www.example.com" not in body


def test_a_key_survives_what_its_owner_does_with_sessions_and_the_password(user: ApiUser) -> None:
    holder = create_key(user)

    assert user.delete("/userapi/auth/sessions/").status_code == 204
    change = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert user.post("/userapi/auth/password/change/", json=change).status_code == 200

    assert holder.code is None


@pytest.mark.both
def test_W54_a_key_can_do_no_more_than_its_owner_can_now(app: Flask, staff: ApiUser, superuser: ApiUser) -> None:
    holder = create_key(staff, "profile", "users")
    assert holder.get("/userapi/users/").status_code == 200
    assert holder.patch(staff.url, json={"first_name": "Ida"}).get_json()["code"] == "insufficient_scope"

    assert superuser.patch(staff.url, json={"is_staff": False}).status_code == 200

    assert holder.get("/userapi/users/").get_json()["code"] == "permission_denied"
    assert holder.get().status_code == 200
