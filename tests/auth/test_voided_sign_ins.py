"""Sign-ins between the steps, and what ends them."""

from collections.abc import Callable

import pytest

from tests.support.api_client import ApiUser, sign_in
from tests.support.email_inbox import emails_to
from tests.support.factories import PASSWORD
from tests.support.forged_tokens import read_claims
from tests.support.sql import execute_sql, fetch_number
from tests.support.two_steps import SECOND_STEP, Owner
from userapi.core.db import db
from userapi.mfa import factors
from userapi.users import accounts
from userapi.users import queries as user_queries

SESSIONS = "SELECT count(*) FROM login_sessions"


def end_by_password_change(owner: Owner, user: ApiUser) -> None:
    body = {"old_password": PASSWORD, "new_password1": "copper kettle upstairs 4",
            "new_password2": "copper kettle upstairs 4"}  # fmt: skip
    assert user.post("/userapi/auth/password/change/", json=body).status_code == 200


def end_by_reset(owner: Owner, user: ApiUser) -> None:
    user.client.post("/userapi/auth/password/reset/", json={"email": owner.email})
    email = emails_to(owner.app, owner.email, "reset_password")[-1]
    body = {"uid": email.uid, "token": email.token, "new_password1": "copper kettle upstairs 4",
            "new_password2": "copper kettle upstairs 4"}  # fmt: skip
    assert user.client.post("/userapi/auth/password/reset/confirm/", json=body).status_code == 200


def end_by_sign_out(owner: Owner, user: ApiUser) -> None:
    assert user.post("/userapi/auth/logout/", json={"all": True}).status_code == 200


def end_by_deactivation(owner: Owner, user: ApiUser) -> None:
    with owner.app.app_context():
        accounts.deactivate(user_queries.lock_user(owner.id))  # type: ignore[arg-type]
        db.session.commit()


def end_by_turning_off(owner: Owner, user: ApiUser) -> None:
    set_second_step(owner, is_on=False)


def end_by_turning_off_and_on(owner: Owner, user: ApiUser) -> None:
    set_second_step(owner, is_on=False)
    set_second_step(owner, is_on=True)


def set_second_step(owner: Owner, *, is_on: bool) -> None:
    with owner.app.app_context():
        user = user_queries.lock_user(owner.id)
        assert user is not None
        factors.set_second_step(user, is_on=is_on)
        db.session.commit()


ENDS = (
    end_by_password_change, end_by_reset, end_by_sign_out, end_by_deactivation, end_by_turning_off,
    end_by_turning_off_and_on,
)  # fmt: skip


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_S65_what_ends_sessions_ends_sign_ins_between_the_steps(
    owner: Owner, end: Callable[[Owner, ApiUser], None]
) -> None:
    tokens = owner.sign_in(owner.recovery_codes[0])
    user = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, tokens)
    pending = owner.mfa_token()

    end(owner, user)

    response = owner.second_step(pending, owner.phone.code())
    assert (response.status_code, response.get_json()["code"]) == (401, "mfa_token_invalid")


def test_S65_without_a_second_step_the_password_is_enough_again(owner: Owner) -> None:
    set_second_step(owner, is_on=False)

    assert read_claims(sign_in(owner.app, owner.email)["access_token"])["acr"] == "aal1"


def test_S04_a_password_reset_begins_no_session_and_leaves_the_second_step_on(owner: Owner) -> None:
    end_by_reset(owner, ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, {}))

    assert fetch_number(owner.app, SESSIONS) == 0
    response = owner.first_step(password="copper kettle upstairs 4")
    assert response.get_json()["code"] == "second_step_needed"
    assert owner.second_step(response.get_json()["mfa_token"], owner.phone.code()).status_code == 200


def test_S05_one_mailbox_is_never_both_steps(owner: Owner) -> None:
    """A reader of the emails of an account can set its password, but not do the second step."""
    end_by_reset(owner, ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, {}))
    pending = owner.first_step(password="copper kettle upstairs 4").get_json()["mfa_token"]

    for email in emails_to(owner.app, owner.email):
        for secret in {email.secret, *(word for word in email.text.split() if len(word) <= 100)} - {None}:
            assert owner.app.test_client().post(
                SECOND_STEP, json={"mfa_token": pending, "code": secret}
            ).status_code in (400, 401, 429)


def test_S14_a_password_reset_lets_codes_be_entered_again(owner: Owner) -> None:
    execute_sql(owner.app, "UPDATE second_factors SET failures = 100")
    assert owner.second_step(owner.mfa_token(), owner.phone.code()).get_json()["code"] == "second_step_locked"
    end_by_reset(owner, ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, {}))

    response = owner.first_step(password="copper kettle upstairs 4", code=owner.phone.code())

    assert response.status_code == 200


def test_S14_password_resets_allow_ten_more_codes_in_all(owner: Owner) -> None:
    reader = ApiUser(owner.app.test_client(), owner.id, owner.email, PASSWORD, {})

    def reset_and_guess() -> list[str]:
        """The codes of the problems after a reset, until one says that the account is locked."""
        end_by_reset(owner, reader)
        problems: list[str] = []
        while "second_step_locked" not in problems:
            guess = {"password": "copper kettle upstairs 4", "code": owner.phone.wrong_code()}
            problems.append(owner.first_step(**guess).get_json()["code"])
            execute_sql(owner.app, "UPDATE second_factors SET last_failed_at = NULL")  # as if the wait were over
        return problems

    execute_sql(owner.app, "UPDATE second_factors SET failures = 97")

    assert reset_and_guess() == ["invalid_code"] * 3 + ["second_step_locked"]
    assert reset_and_guess() == ["invalid_code"] * 10 + ["second_step_locked"]
    assert reset_and_guess() == ["second_step_locked"]
    locked = owner.first_step(password="copper kettle upstairs 4", code=owner.phone.code()).get_json()
    assert "Ask support to accept codes again" in locked["detail"]
    assert "ask support" in emails_to(owner.app, owner.email, "second_step_locked")[-1].text
    assert owner.app.test_cli_runner().invoke(args=["users", "unlock", owner.email]).exit_code == 0
    assert owner.first_step(password="copper kettle upstairs 4", code=owner.phone.code()).status_code == 200


def test_S62_a_factor_that_was_removed_between_the_steps_does_not_count(owner: Owner) -> None:
    token = owner.mfa_token()
    execute_sql(owner.app, "DELETE FROM totp_devices")

    assert owner.second_step(token, owner.phone.code()).status_code == 401
    assert fetch_number(owner.app, SESSIONS) == 0
