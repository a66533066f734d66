"""Which account an identity belongs to, and what has to happen before it signs in there (decision 0068).

An email that a provider names never signs in to an account by itself: providers reuse addresses and get them wrong, and
someone else may have registered the address here.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.provider_settings import Provider
from userapi.users import email_address, registration

from . import exchange, identities, queries
from .assertions import Assertion
from .problems import ProviderDeclined

#: How exactly it is known when an identity was last used; a sign-in within this time writes nothing.
USE_INTERVAL = timedelta(days=1)


@dataclass(frozen=True)
class Known:
    """The identity signs in to an account.

    Attributes:
        identity_id: the identity.
        account: a row with what a sign-in needs to know, `queries.ACCOUNT`.
        is_new: whether it was linked just now, because the settings allow that.
    """

    identity_id: int
    account: Any
    is_new: bool = False


@dataclass(frozen=True)
class Registration:
    """No account has the identity or the email.

    Attributes:
        email: to fill in the form with; None if the provider is no authority for any.
        email_confirmed: whether the account is confirmed if its user keeps this email.
    """

    email: str | None
    email_confirmed: bool


@dataclass(frozen=True)
class ProofNeeded:
    """An account has the email, and its owner has to prove that before the identity is linked.

    Attributes:
        account: a row with what a sign-in needs to know, `queries.ACCOUNT`.
        must_claim: whether the email of the account is not confirmed: the user who registered it may not be its owner,
            so only a code by email is a proof, and the account is claimed.
    """

    account: Any
    must_claim: bool


#: How metrics name what was found.
OUTCOMES = {Known: "known", Registration: "registration", ProofNeeded: "proof"}


def match(provider: Provider, assertion: Assertion) -> Known | Registration | ProofNeeded:
    """Find the account of an identity.

    Raises:
        ProviderDeclined: the account may not sign in, or no one may register; an audit event was written, which the
            caller must commit.
    """
    found = look_up(provider, assertion)
    exchange.count(provider, OUTCOMES[type(found)])
    return found


def look_up(provider: Provider, assertion: Assertion) -> Known | Registration | ProofNeeded:
    """Do what `match` does for an answer that was counted before."""
    account = queries.find_account_of_identity(assertion.issuer, assertion.subject)
    if account is not None:
        _require_active(provider, account, is_confirmed=_counts_as_confirmed(account))
        _note_use(account, assertion)
        return Known(account.identity_id, account)
    key = email_address.key_or_none(assertion.email) if assertion.email and assertion.email_trusted else None
    account = queries.find_account_of_email(key) if key else None
    if account is None:
        if not (provider.registers and registration.is_open()):
            raise _declined(provider, "registration closed")
        return Registration(assertion.email, email_confirmed=key is not None)
    _require_active(provider, account)
    if (account.is_staff or account.is_superuser) and not provider.matches_staff:
        raise _declined(provider, "staff account", account.id)
    if account.email_verified_at is None:
        return ProofNeeded(account, must_claim=True)
    is_plain = not (account.is_staff or account.is_superuser or account.needs_second_step)
    if provider.links_verified and is_plain:
        return Known(identities.link(account.id, provider, assertion), account, is_new=True)
    return ProofNeeded(account, must_claim=False)


def _counts_as_confirmed(account: Any) -> bool:
    return account.email_verified_at is not None or current_app.config["EMAIL_VERIFICATION"] != "mandatory"


def _require_active(provider: Provider, account: Any, *, is_confirmed: bool = True) -> None:
    if not account.is_active or not is_confirmed:
        raise _declined(provider, "account not active", account.id)


def _declined(provider: Provider, reason: str, user_id: int | None = None) -> ProviderDeclined:
    exchange.record_failure(provider, "declined", reason, user_id)
    return ProviderDeclined(reason)


def _note_use(account: Any, assertion: Assertion) -> None:
    """Store that the identity is used, and a changed email of it. The email of the account stays as it is."""
    now, email = clock.now(), assertion.email
    has_changed = email is not None and email != account.identity_email
    if has_changed or account.last_used_at is None or now - account.last_used_at >= USE_INTERVAL:
        kept = email if email is not None else account.identity_email
        is_stored = queries.use_identity(account.identity_id, kept, is_trusted=assertion.email_trusted, now=now)
        if has_changed and is_stored:  # else the account was deleted, and no event may name it any more
            audit_log.record(
                "identity.email_changed", "user", account.id, {"email": (account.identity_email, email)}, actor_id=None
            )
