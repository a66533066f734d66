"""The emails about second factors, one function each, as in `emails`."""

from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext

from userapi.core.context import get_acting_context

from .emails import Addressee, plain, queue_email


def send_factor_added(to: Addressee, *, kind: str, factor: str, is_first: bool, when: datetime) -> None:
    """Report a new factor.

    Args:
        to: who gets the email.
        kind: `totp` or `passkey`.
        factor: what the user calls it.
        is_first: whether sign-ins need a second step because of it.
        when: it was added.
    """
    subject = lazy_gettext("A second factor was added to your account")
    queue_email(
        "factor_added", to, subject, factor_kind=kind, factor=plain(factor), is_first=is_first, **_request(when)
    )


def send_factor_removed(to: Addressee, *, kind: str, factor: str, is_last: bool, when: datetime) -> None:
    """Report that a factor was removed.

    Args:
        to: who gets the email.
        kind: `totp` or `passkey`.
        factor: what the user called it.
        is_last: whether sign-ins need no second step any more because of it.
        when: it was removed.
    """
    subject = lazy_gettext("A second factor was removed from your account")
    queue_email(
        "factor_removed", to, subject, factor_kind=kind, factor=plain(factor), is_last=is_last, **_request(when)
    )


def send_key_may_be_copied(to: Addressee, *, passkey: str, when: datetime) -> None:
    """Report that the signature counter of a passkey went back.

    Args:
        to: who gets the email.
        passkey: what the user calls it.
        when: it was used.
    """
    subject = lazy_gettext("A passkey of your account may have been copied")
    queue_email("key_may_be_copied", to, subject, passkey=plain(passkey), **_request(when))


def send_second_step_off(to: Addressee, *, when: datetime) -> None:
    """Report that sign-ins need no second step any more."""
    queue_email("second_step_off", to, lazy_gettext("Two-step sign-in was turned off"), **_request(when))


def send_recovery_codes_made(to: Addressee, *, when: datetime) -> None:
    """Report that new recovery codes replaced the earlier ones."""
    queue_email("recovery_codes_made", to, lazy_gettext("New recovery codes were created"), **_request(when))


def send_recovery_code_used(to: Addressee, *, left: int, when: datetime) -> None:
    """Report that a recovery code was used.

    Args:
        to: who gets the email.
        left: the number of codes that can still be used.
        when: it was used.
    """
    queue_email("recovery_code_used", to, lazy_gettext("A recovery code was used"), left=left, **_request(when))


def send_second_step_failing(to: Addressee, *, when: datetime) -> None:
    """Warn that someone may know the password, because several codes in a row were wrong."""
    queue_email("second_step_failing", to, lazy_gettext("Someone may know your password"), **_request(when))


def send_second_step_locked(to: Addressee, *, when: datetime, reset_helps: bool) -> None:
    """Report that codes are no longer accepted, because too many were wrong.

    Args:
        to: who gets the email.
        when: the last one was entered.
        reset_helps: whether codes are accepted again after a password reset.
    """
    subject = lazy_gettext("Codes are no longer accepted")
    queue_email("second_step_locked", to, subject, reset_helps=reset_helps, **_request(when))


def send_factors_reset(to: Addressee, *, when: datetime, reason: str, must_reset_password: bool) -> None:
    """Report that staff removed every second factor.

    Args:
        to: who gets the email.
        when: it was done.
        reason: that staff gave.
        must_reset_password: whether the password was removed too; another email has the link for a new one.
    """
    subject = lazy_gettext("Your second factors were reset")
    queue_email("factors_reset", to, subject, when=when, reason_given=plain(reason), must_reset=must_reset_password)


def _request(when: datetime) -> dict[str, Any]:
    return {"when": when, "address": get_acting_context().ip_address}
