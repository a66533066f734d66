"""Requests for a code by email: the row that is stored, and the email (decision 0066)."""

import secrets
import uuid
from datetime import timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.core.email_domains import is_service_address
from userapi.mail import code_emails
from userapi.security import throttling
from userapi.users import email_address
from userapi.users.site_urls import link

from . import mailed_code_queries, set_up_sessions
from .mailed_code_secrets import DIGITS, Purpose, authenticate, compute_link_digest
from .models import SignInCode
from .problems import CodesUnavailable

#: How long a code and its link can be used.
LIFETIME = timedelta(minutes=10)

#: How long programs should wait before they offer to send another code.
RESEND_AFTER = timedelta(seconds=30)


def is_on() -> bool:
    """Whether users can sign in with a code by email."""
    return bool(current_app.config["SIGN_IN_BY_MAIL"] != "none")


def require_on() -> None:
    """Check that the service sends codes.

    Raises:
        CodesUnavailable: it does not.
    """
    if not is_on():
        raise CodesUnavailable


def may_use_codes(account: Any) -> bool:
    """Whether codes are sent to an account: a row with is_active, is_staff and is_superuser."""
    return is_on() and account.is_active and not set_up_sessions.are_codes_closed_to(account)


def warn_staff_without_password(account: Any) -> str:
    """What those should know who make a user staff that has no password to open the staff site with; may be empty.

    Args:
        account: with is_staff, is_superuser, email and password_hash.
    """
    is_service = is_service_address(account.email)  # no one signs in with it
    if is_service or account.password_hash is not None or not set_up_sessions.are_codes_closed_to(account):
        return ""
    warning: str = _(
        "%(email)s has no password, and codes by email do not open the staff site. "
        "To set a password, the user follows “Forgot your password?” on the sign-in page.",
        email=account.email,
    )
    return warning


def request_sign_in(email: str, client_challenge: str | None = None) -> uuid.UUID:
    """Email a code to sign in with, if an active account has this email; what names the request.

    For an unknown email the same row is stored, and an email is written and discarded, so that it takes as long. If one
    email gets too many codes, the later ones are not sent; the response is the same.

    Args:
        email: in any case or Unicode form.
        client_challenge: a digest of a secret with which the link signs in without the code.

    Raises:
        CodesUnavailable: the service sends no codes.
        TooManyRequests: the client requested too many codes, for any emails.
    """
    require_on()
    throttling.count_attempt("CODE", throttling.get_client_subject())
    key = email_address.key_or_none(email) or ""
    is_within_limit = throttling.try_attempt("CODE_RECIPIENT", key or email)
    found = mailed_code_queries.find_account(key)
    account = found if found is not None and is_within_limit and may_use_codes(found) else None
    return _create(Purpose.SIGN_IN, key, account, client_challenge=client_challenge, about=found)


def request_for_account(user_id: int, purpose: Purpose, ticket_digest: str | None = None) -> uuid.UUID:
    """Email a code to an account that is known already; what names the request.

    Args:
        user_id: the account.
        purpose: `PROVE` or `CLAIM`.
        ticket_digest: of what else the code is bound to.

    Raises:
        CodesUnavailable: the service sends no codes.
        TooManyRequests: the client requested too many codes.
    """
    require_on()
    throttling.count_attempt("CODE", throttling.get_client_subject())
    found = mailed_code_queries.read_account(user_id)
    key = found.email_key if found is not None else ""
    is_within_limit = throttling.try_attempt("CODE_RECIPIENT", key)
    account = found if found is not None and is_within_limit and may_use_codes(found) else None
    return _create(purpose, key, account, ticket_digest=ticket_digest, about=found)


def _create(
    purpose: Purpose,
    address_key: str,
    account: Any,
    *,
    about: Any,
    client_challenge: str | None = None,
    ticket_digest: str | None = None,
) -> uuid.UUID:
    """Store a request, and email the code to `account`, or to no one; `about` is the account for the audit log."""
    challenge, now = uuid.uuid4(), clock.now()
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    has_link = purpose is Purpose.SIGN_IN and current_app.config["SIGN_IN_BY_MAIL"] == "link"
    token = secrets.token_urlsafe(32) if has_link else None
    db.session.add(
        SignInCode(
            id=challenge,
            purpose=purpose.value,
            user_id=None if account is None else account.id,
            address_key=address_key,
            session_version=None if account is None else account.session_version,
            ticket_digest=ticket_digest,
            code_mac=authenticate(challenge, purpose, code),
            link_digest=None if token is None else compute_link_digest(token),
            client_challenge=client_challenge,
            created_at=now,
            expires_at=now + LIFETIME,
        )
    )
    db.session.flush()
    with db.session.begin_nested() as savepoint:  # for known addresses too, so that both take equally long
        code_emails.send_sign_in_code(
            code_emails.SAMPLE if account is None else account,
            code=code,
            link="" if token is None else link("sign-in", token),
            token=token,
            is_sign_in=purpose is Purpose.SIGN_IN,
            lifetime=LIFETIME,
        )
        db.session.flush()
        if account is None:
            savepoint.rollback()
    target_kind, target_id = (None, None) if about is None else ("user", about.id)
    audit_log.record("sign_in.code_requested", target_kind, target_id, {"purpose": (None, purpose.value)})
    return challenge
