"""The second factors of an account: which it has, adding and removing them, turning the second step on and off.

Every change is made under the lock of the user's row. That other sessions end with some of them is the business of
`auth`, which knows the sessions.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock
from userapi.mail import factor_emails
from userapi.users import email_links
from userapi.users.models import User

from . import overview_queries, passkey_queries, queries, recovery_codes, remembered_devices
from .models import TotpDevice
from .passkey_models import Passkey
from .problems import EmailUnverified, FactorUnavailable, NoFactor

HANDLE_BYTES = 64


class SecondStep(NamedTuple):
    """What is due at a sign-in, and what the account has for it.

    Attributes:
        is_on: whether a sign-in needs a second step.
        ways: what it can be done with, the strongest first: `passkey`, `totp`, `recovery_code`.
        failures: wrong codes in a row.
    """

    is_on: bool
    ways: tuple[str, ...]
    failures: int


class Added(NamedTuple):
    """A factor that was added.

    Attributes:
        factor: its row.
        is_first: whether the second step is on because of it.
        recovery_codes: new ones if the account had none.
    """

    factor: TotpDevice | Passkey
    is_first: bool
    recovery_codes: list[str] | None


class Overview(NamedTuple):
    """What owners and staff see of the second factors of an account.

    Attributes:
        second_step: whether a sign-in needs a second step.
        apps: the authenticator apps, oldest first.
        passkeys: the passkeys, oldest first.
        handle: by which passkeys name the account; None if it never had a factor.
        codes_left: unused recovery codes.
        codes_made_at: when they were created; None without any.
        devices: the number of remembered devices.
        failures: wrong codes in a row.
    """

    second_step: bool
    apps: Sequence[Any]
    passkeys: Sequence[Any]
    handle: bytes | None
    codes_left: int
    codes_made_at: datetime | None
    devices: int
    failures: int

    @property
    def has_way(self) -> bool:
        """Whether there is anything to do the second step with."""
        return bool(self.apps or self.passkeys or self.codes_left)

    @property
    def is_locked(self) -> bool:
        """Whether the second step is on and no code is accepted any more, or there is nothing to do it with."""
        return self.second_step and (bool(queries.is_locked(self.failures)) or not self.has_way)


def read_overview(user_id: int) -> Overview:
    """What owners and staff see of the second factors of an account, read outside any transaction."""
    found = overview_queries.read_overview(user_id, clock.now())
    if found is None:
        return Overview(
            second_step=False,
            apps=(),
            passkeys=(),
            handle=None,
            codes_left=0,
            codes_made_at=None,
            devices=0,
            failures=0,
        )
    return Overview(
        second_step=found.active_since is not None,
        apps=overview_queries.list_apps(user_id),
        passkeys=passkey_queries.list_passkeys(user_id),
        handle=found.handle,
        codes_left=found.codes_left,
        codes_made_at=found.codes_made_at,
        devices=found.devices,
        failures=found.failures,
    )


def summary(user_id: int) -> SecondStep | None:
    """What is due at a sign-in, in one statement outside any transaction; None without second factors."""
    found = queries.read_summary(user_id)
    return None if found is None else to_second_step(found)


def to_second_step(found: Any) -> SecondStep:
    """What a row of `queries.SUMMARY` says."""
    ways = {"passkey": found.has_passkey, "totp": found.has_app, "recovery_code": found.has_recovery_codes}
    usable = tuple(way for way, is_there in ways.items() if is_there)
    return SecondStep(found.active_since is not None, usable, found.failures)


def check_may_add(user: User, kind: str) -> None:
    """Check that a user may add a factor of a kind, `totp` or `passkey`.

    Raises:
        FactorUnavailable: the service does not offer the kind.
        EmailUnverified: someone else could have registered the email address, and would lock its owner out.
    """
    if kind not in current_app.config["SECOND_FACTORS"]:
        raise FactorUnavailable
    if user.email_verified_at is None:
        raise EmailUnverified


def create_shared_row(user_id: int) -> None:
    """Create the row that the factors of an account share, unless it exists."""
    queries.insert_second_factors(user_id, secrets.token_bytes(HANDLE_BYTES))


def record_new_factor(user: User, kind: str, factor: TotpDevice | Passkey) -> Added:
    """Do what follows when a locked user has added a factor: the second step, recovery codes, event and email.

    Args:
        user: locked.
        kind: `totp` or `passkey`.
        factor: its row.
    """
    now, found = clock.now(), queries.read_summary_in_transaction(user.id)
    is_first = found.active_since is None and not _has_other_factors(user.id)
    audit_log.record("factor.added", "user", user.id, {"kind": (None, kind), "name": (None, factor.name)})
    if is_first:
        _turn_on(user, now)
    new_codes = None if found.has_recovery_codes else recovery_codes.create_codes(user.id)
    factor_emails.send_factor_added(user, kind=kind, factor=factor.name, is_first=is_first, when=now)
    return Added(factor, is_first, new_codes)


def record_renamed_factor(user_id: int, kind: str, name: str) -> None:
    """Record that a user has given a factor of a kind, `totp` or `passkey`, another name."""
    audit_log.record("factor.renamed", "user", user_id, {"kind": (None, kind), "name": (None, name)})


def record_removed_factor(user: User, kind: str, name: str) -> None:
    """Do what follows when a locked user has removed a factor; without any, the second step is off.

    Args:
        user: locked.
        kind: `totp` or `passkey`.
        name: what the user called it.
    """
    audit_log.record("factor.removed", "user", user.id, {"kind": (kind, None), "name": (name, None)})
    remembered_devices.forget_all(user.id)
    is_last = not _count_factors(user.id)
    if is_last:
        if queries.read_summary_in_transaction(user.id).active_since is not None:
            _turn_off(user)
        recovery_codes.delete_codes(user.id)
    factor_emails.send_factor_removed(user, kind=kind, factor=name, is_last=is_last, when=clock.now())


def set_second_step(user: User, *, is_on: bool) -> bool:
    """Turn the second step of a locked user on or off; whether that is a change.

    An app that waits to be confirmed is deleted when it is turned on: a password was enough to add it.

    Raises:
        NoFactor: there is no factor for it.
    """
    found = queries.read_summary_in_transaction(user.id)
    if not _count_factors(user.id):
        raise NoFactor
    if is_on == (found.active_since is not None):
        return False
    if is_on:
        queries.delete_unconfirmed_apps(user.id)
        _turn_on(user, clock.now())
        return True
    _turn_off(user)
    remembered_devices.forget_all(user.id)
    factor_emails.send_second_step_off(user, when=clock.now())
    return True


def replace_recovery_codes(user: User) -> list[str]:
    """New recovery codes for a locked user; the earlier ones are no longer accepted.

    Raises:
        NoFactor: there is no factor that they could stand in for.
    """
    if not _count_factors(user.id):
        raise NoFactor
    new_codes = recovery_codes.create_codes(user.id)
    factor_emails.send_recovery_codes_made(user, when=clock.now())
    return new_codes


def reset(user: User, reason: str) -> dict[str, int]:
    """Delete every factor, recovery code and remembered device of a locked user; how many of each.

    Args:
        user: locked.
        reason: why, for the audit log.

    Raises:
        NoFactor: there is none.
    """
    if queries.read_summary_in_transaction(user.id) is None:
        raise NoFactor(_("This user has no second factor."))
    counts = {"factors": _count_factors(user.id), "recovery_codes": len(queries.read_unused_codes(user.id))}
    queries.delete_all(user.id)
    audit_log.record("factors.reset", "user", user.id, {"reason": (None, reason)})
    return counts


def remove_all(user: User) -> None:
    """Delete every factor, recovery code and remembered device that a locked user has; no email reports it."""
    found = queries.read_summary_in_transaction(user.id)
    if found is None:
        return
    named = [("totp", app.name) for app in queries.read_apps(user.id)]
    named += [("passkey", name) for name in passkey_queries.read_names(user.id)]
    for kind, name in named:
        audit_log.record("factor.removed", "user", user.id, {"kind": (kind, None), "name": (name, None)})
    remembered_devices.forget_all(user.id)
    if found.active_since is not None:
        _turn_off(user)
    queries.delete_all(user.id)


def has_factors(user_id: int) -> bool:
    """Whether an account has a factor that counts for the second step, as the current transaction sees it."""
    return _count_factors(user_id) > 0


def _turn_on(user: User, now: datetime) -> None:
    """Turn the second step on. A change of email that was requested without it is cancelled."""
    queries.set_active_since(user.id, now)
    email_links.cancel_email_change(user)
    audit_log.record("second_step.on", "user", user.id)


def _turn_off(user: User) -> None:
    queries.set_active_since(user.id, None)
    audit_log.record("second_step.off", "user", user.id)


def _has_other_factors(user_id: int) -> bool:
    return _count_factors(user_id) > 1


def _count_factors(user_id: int) -> int:
    """The number of factors that count for the second step, as the current transaction sees them."""
    return len(queries.read_apps(user_id)) + passkey_queries.count_passkeys(user_id)
