"""Changing a password, and resetting a forgotten one."""

import uuid
from collections.abc import Sequence

from userapi.audit import audit_log
from userapi.core import hooks
from userapi.core.db import db
from userapi.mail import emails
from userapi.mfa import guesses
from userapi.security import throttling
from userapi.users import account_kinds, accounts, current_password, email_address, email_links, password_policy
from userapi.users import queries as user_queries
from userapi.users.models import User
from userapi.users.problems import WrongPassword
from userapi.users.site_urls import link

from . import api_keys, claiming, sessions, sign_in_queries
from .claims import parse_id
from .problems import TokenRevoked

#: The purposes of links that set a password.
RESETS = (email_links.RESET_PASSWORD, email_links.OLD_INVITATION)


def check_and_lock(user_id: int, password: str, field: str) -> User:
    """Check the current password of an account, and lock the account.

    Raises:
        WrongPassword: for this field; an audit event was written, which the caller must commit.
        TokenRevoked: the account has been deactivated or deleted since.
        TooManyRequests: it was wrong too often; the password was not checked.
    """
    seen = sign_in_queries.read_password_hash(user_id)
    current_password.check_password(user_id, seen, password, field)
    user = lock_active_user(user_id)
    if user.password_hash != seen:
        return check_and_lock(user_id, password, field)  # it was changed or rehashed in the meantime
    return user


def lock_active_user(user_id: int) -> User:
    """Lock an account.

    Raises:
        TokenRevoked: the account has been deactivated or deleted since.
    """
    user = user_queries.lock_user(user_id)
    if user is None or not user.is_active:
        raise TokenRevoked
    return user


def change_password(
    user_id: int, session_id: uuid.UUID, old_password: str, new_password1: str, new_password2: str
) -> None:
    """Change the password of a signed-in user; every other session ends.

    Raises:
        WrongPassword: the old password is wrong; an audit event was written, which the caller must commit.
        ValidationFailed: the new passwords differ.
        WeakPassword: the new password breaks the policy.
        TokenRevoked: the account has been deactivated or deleted since.
        TooManyRequests: the old password was wrong too often.
    """
    try:
        user = check_and_lock(user_id, old_password, field="old_password")
    except WrongPassword as error:
        error.errors = {**(error.errors or {}), **_errors_of_new(user_id, new_password1, new_password2)}
        raise
    set_new_password(user, new_password1, new_password2, by=user)
    sessions.end_sessions(user, spare=session_id)


def set_new_password(
    user: User, new_password1: str, new_password2: str, *, by: User | None = None, revoked_keys: Sequence[str] = ()
) -> None:
    """Set the password of a locked user that was typed twice.

    Args:
        user: locked.
        new_password1, new_password2: as typed.
        by: the user, if they are signed in.
        revoked_keys: as for `accounts.set_password`.

    Raises:
        ValidationFailed: the new passwords differ.
        WeakPassword: the new password breaks the policy.
    """
    password_policy.require_same(new_password1, new_password2, accounts.personal_texts(user))
    accounts.set_password(user, new_password1, field="new_password1", by=by, revoked_keys=revoked_keys)


def request_reset(email: str) -> None:
    """Email a link that resets the password, if an active account has this email.

    The owner of a closed account gets the link that restores it again. For an unknown email, a message is written and
    discarded, so that it takes as long. If one email gets too many links, the later ones are not sent; the response is
    the same.

    Raises:
        TooManyRequests: the client requested too many links, for any emails.
    """
    throttling.count_attempt("PASSWORD_RESET", throttling.get_client_subject())
    key = email_address.key_or_none(email)
    is_within_limit = throttling.try_attempt("PASSWORD_RESET_RECIPIENT", key or email)
    user = user_queries.lock_user_by_email_key(key) if key else None
    user_id = user.id if user is not None else None
    if user is not None and user.is_active and is_within_limit:
        with db.session.begin_nested():  # as for an unknown email, so that both take equally long
            send_reset_email(user)
    elif sent_to := _send_instead(key) if key and is_within_limit else None:
        user_id = sent_to
    else:
        emails.simulate_password_reset()
    audit_log.record("user.password_reset_requested", None if user_id is None else "user", user_id)


def _send_instead(key: str) -> int | None:
    """Send what the owner of an account that is not active needs instead, if anything; returns the account's id."""
    return next((found for send in hooks.get_hooks().on_reset_without_account if (found := send(key))), None)


def send_reset_email(user: User) -> None:
    """Email a locked, active user a link that sets a new password.

    Raises:
        NotForServiceAccounts: it is a service account.
    """
    account_kinds.require_person(user)
    token = email_links.create_token(user, email_links.RESET_PASSWORD, user.email_key)
    emails.send_password_reset(
        user,
        link=link("reset", link_uid(user), token),
        secret=token,
        minutes=int(email_links.lifetime(email_links.RESET_PASSWORD).total_seconds() // 60),
    )


def reset_password(uid: str, token: str, new_password1: str, new_password2: str) -> None:
    """Set a new password with the emailed link; every session ends, and every API key is revoked.

    An address that was not confirmed is, and everything else that gave access goes: someone else may have opened the
    account. It stays unconfirmed if the second step is on, as the link does not prove that.

    After too many wrong codes, a few more are accepted: who knew the password and guessed does not know the new one.

    Raises:
        InvalidLink: the link is invalid, expired or already used.
        ValidationFailed, WeakPassword: the password is rejected; the link still works, because the caller does not
            commit.
        TooManyRequests: the client sent too many invalid links.
    """
    user = use_link(uid, token)
    set_new_password(user, new_password1, new_password2, revoked_keys=api_keys.revoke_all(user.id))
    claiming.confirm_with_new_password(user)
    guesses.allow_codes_after_reset(user.id)
    sessions.end_sessions(user)


def use_link(uid: str, token: str) -> User:
    """Use an emailed link that sets a password, and lock its user.

    Args:
        uid: the part of the link that names the account.
        token: the secret part.

    Raises:
        InvalidLink: the link is invalid, expired or already used.
        TooManyRequests: the client sent too many invalid links.
    """
    with throttling.count_failures("LINK", throttling.get_client_subject()):
        user_id = parse_id(uid)
        if user_id is None:
            raise email_links.InvalidLink
        return email_links.use_token(token, RESETS, user_id)[1]


def is_link_valid(uid: str, token: str) -> bool:
    """Whether a link that sets a password would be accepted now."""
    found = email_links.find_valid_token(token, RESETS)
    return found is not None and found[1].id == parse_id(uid)


def link_uid(user: User) -> str:
    """The part of a link that names the account."""
    return str(user.id)


def _errors_of_new(user_id: int, first: str, second: str) -> dict[str, list[str]]:
    """The errors of a new password, to be shown together with a wrong current one."""
    user = user_queries.find_row(user_id)
    weak = password_policy.reasons(first, () if user is None else accounts.personal_texts(user))
    return {
        **({"new_password1": weak} if weak else {}),
        **password_policy.repetition_errors(first, second),
    }
