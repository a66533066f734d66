"""One sample of each kind of email, to see templates, name, logo and colours without an account."""

from collections.abc import Callable
from datetime import timedelta

from flask import current_app

from userapi.core import clock
from userapi.core.db import db

from . import (
    api_key_emails,
    app_emails,
    closing_emails,
    code_emails,
    emails,
    factor_emails,
    identity_emails,
    impersonation_emails,
    invitation_emails,
    retention_emails,
    webhook_emails,
)
from .emails import Recipient
from .models import EmailMessage

#: An API key in emails.
KEY = {"key": "Nightly report", "last4": "x7Qd", "account": ""}

#: From the blocks for documentation (RFC 5737).
IP = "203.0.113.5"
USER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"

SECRET = "sample"  # noqa: S105


def _link(page: str) -> str:
    return f"{current_app.config['FRONTEND_URL'] or current_app.config['SITE_URL']}/{page}/{SECRET}/"


def _page(path: str) -> str:
    return f"{current_app.config['SITE_URL']}/{path}/"


def _send_invitation(to: Recipient, *, has_account: bool) -> None:
    invitation_emails.send_invitation(
        to,
        has_account=has_account,
        inviter="Grace Hopper",
        message="We keep the minutes of our meetings there.\nSee you on Monday!",
        link=_page("login") if has_account else _link("invitation"),
        secret="" if has_account else SECRET,
        expires_at=clock.now() + timedelta(days=7),
    )


SENDERS: dict[str, Callable[[Recipient], object]] = {
    "account_claimed": lambda to: code_emails.send_account_claimed(to, when=clock.now(), ip=IP),
    "account_closing": lambda to: closing_emails.send_account_closing(
        to,
        closes_at=clock.now() + timedelta(days=14),
        link=_link("restore-account"),
        secret=SECRET,
        restores_email=False,
    ),
    "account_inactive": lambda to: retention_emails.send_account_inactive(
        to, closes_at=clock.now() + timedelta(days=30), link=_page("account")
    ),
    "account_restored": lambda to: closing_emails.send_account_restored(to, when=clock.now(), ip=IP),
    "api_key_expires": lambda to: api_key_emails.send_key_expires(
        to, link=_page("account/keys"), when=clock.now() + timedelta(days=14), **KEY
    ),
    "api_key_used_elsewhere": lambda to: api_key_emails.send_key_used_elsewhere(
        to, link=_page("account/keys"), when=clock.now(), ip=IP, **KEY
    ),
    "app_allowed": lambda to: app_emails.send_app_allowed(
        to, app="Handbook", link=_page("account/apps"), when=clock.now()
    ),
    "app_token_reused": lambda to: app_emails.send_app_token_reused(to, app="Handbook", when=clock.now()),
    "confirm_new_email": lambda to: emails.send_email_change_confirmation(
        to, link=_link("verify-email"), secret=SECRET
    ),
    "email_changed": lambda to: emails.send_email_changed(
        to, new_email="ada@example.net", link=_link("undo-email-change"), secret=SECRET, days=7
    ),
    "factor_added": lambda to: factor_emails.send_factor_added(
        to, kind="totp", factor="Phone", is_first=True, when=clock.now()
    ),
    "factor_removed": lambda to: factor_emails.send_factor_removed(
        to, kind="totp", factor="Phone", is_last=True, when=clock.now()
    ),
    "factors_reset": lambda to: factor_emails.send_factors_reset(
        to, when=clock.now(), reason="Lost phone", must_reset_password=True
    ),
    "identity_linked": lambda to: identity_emails.send_identity_linked(to, provider="Google", when=clock.now()),
    "identity_unlinked": lambda to: identity_emails.send_identity_unlinked(to, provider="Google", when=clock.now()),
    "impersonation": lambda to: impersonation_emails.send_impersonated(
        to,
        reason="Ticket 4711: an order is missing",
        when=clock.now(),
        ends_at=clock.now() + timedelta(minutes=30),
        may_write=False,
    ),
    "invitation": lambda to: _send_invitation(to, has_account=False),
    "invitation_to_account": lambda to: _send_invitation(to, has_account=True),
    "key_may_be_copied": lambda to: factor_emails.send_key_may_be_copied(to, passkey="Key", when=clock.now()),
    "new_sign_in": lambda to: emails.send_new_sign_in(to, when=clock.now(), ip=IP, user_agent=USER_AGENT),
    "password_changed": lambda to: emails.send_password_changed(
        to, when=clock.now(), ip=IP, revoked_keys=["Nightly report (…x7Qk)", "Backup (…p2Zd)"]
    ),
    "recovery_code_used": lambda to: factor_emails.send_recovery_code_used(to, left=3, when=clock.now()),
    "recovery_codes_made": lambda to: factor_emails.send_recovery_codes_made(to, when=clock.now()),
    "reset_password": lambda to: emails.send_password_reset(
        to, link=_link("reset/1"), secret=SECRET, minutes=current_app.config["PASSWORD_RESET_LIFETIME"] // 60
    ),
    "rights_granted": lambda to: emails.send_permissions_granted(to, rights=["is_staff"]),
    "second_step_failing": lambda to: factor_emails.send_second_step_failing(to, when=clock.now()),
    "second_step_locked": lambda to: factor_emails.send_second_step_locked(to, when=clock.now(), reset_helps=True),
    "second_step_off": lambda to: factor_emails.send_second_step_off(to, when=clock.now()),
    "sign_in_code": lambda to: code_emails.send_sign_in_code(
        to, code="01234567", link=_link("sign-in"), token=SECRET, is_sign_in=True, lifetime=timedelta(minutes=10)
    ),
    "test_email": lambda to: emails.create_test_email(to.email, language=to.language),
    "token_reused": lambda to: emails.send_token_reused(to, when=clock.now(), ip=IP),
    "verify_email": lambda to: emails.send_verification(to, link=_link("verify-email"), secret=SECRET),
    "webhook_disabled": lambda to: webhook_emails.send_webhook_disabled(
        to, host="shop.example.com", is_gone=False, link=_link("admin/webhooks"), when=clock.now()
    ),
}


def create_sample(kind: str, language: str | None) -> EmailMessage:
    """An email of a kind with made-up facts. It is not stored.

    Args:
        kind: one of `SENDERS`.
        language: one of the available languages; None: that of the shell.
    """
    SENDERS[kind](Recipient("ada@example.com", "Ada", language))
    (email,) = (row for row in db.session.new if isinstance(row, EmailMessage))
    db.session.expunge(email)
    return email
