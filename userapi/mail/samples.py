"""One sample of each kind of email, to see templates, name, logo and colours without an account."""

from collections.abc import Callable
from datetime import timedelta

from flask import current_app

from userapi.core import clock
from userapi.core.db import db

from . import emails, factor_emails
from .emails import Recipient
from .models import EmailMessage

#: From the blocks for documentation (RFC 5737).
IP = "203.0.113.5"
USER_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"

SECRET = "sample"  # noqa: S105


def _link(page: str) -> str:
    return f"{current_app.config['FRONTEND_URL'] or current_app.config['SITE_URL']}/{page}/{SECRET}/"


SENDERS: dict[str, Callable[[Recipient], object]] = {
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
    "invitation": lambda to: emails.send_invitation(
        to,
        inviter="Grace Hopper",
        link=_link("invitation"),
        secret=SECRET,
        expires_at=clock.now() + timedelta(days=7),
    ),
    "key_may_be_copied": lambda to: factor_emails.send_key_may_be_copied(to, passkey="Key", when=clock.now()),
    "new_sign_in": lambda to: emails.send_new_sign_in(to, when=clock.now(), ip=IP, user_agent=USER_AGENT),
    "password_changed": lambda to: emails.send_password_changed(to, when=clock.now(), ip=IP),
    "recovery_code_used": lambda to: factor_emails.send_recovery_code_used(to, left=3, when=clock.now()),
    "recovery_codes_made": lambda to: factor_emails.send_recovery_codes_made(to, when=clock.now()),
    "reset_password": lambda to: emails.send_password_reset(
        to, link=_link("reset/1"), secret=SECRET, minutes=current_app.config["PASSWORD_RESET_LIFETIME"] // 60
    ),
    "rights_granted": lambda to: emails.send_permissions_granted(to, rights=["is_staff"]),
    "second_step_failing": lambda to: factor_emails.send_second_step_failing(to, when=clock.now()),
    "second_step_locked": lambda to: factor_emails.send_second_step_locked(to, when=clock.now()),
    "second_step_off": lambda to: factor_emails.send_second_step_off(to, when=clock.now()),
    "test_email": lambda to: emails.create_test_email(to.email, language=to.language),
    "token_reused": lambda to: emails.send_token_reused(to, when=clock.now(), ip=IP),
    "verify_email": lambda to: emails.send_verification(to, link=_link("verify-email"), secret=SECRET),
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
