"""Signing in with a provider, and what comes first where its identity belongs to no account yet.

A provider only identifies: sessions begin in `admission`, as everywhere. An identity is linked to an existing account
only after a proof that belongs to that account, and registers a new one only when the user sends the form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import ValidationFailed
from userapi.core.provider_settings import Provider
from userapi.federation import assertions, identities, matching, providers, tickets
from userapi.federation.assertions import Assertion
from userapi.federation.problems import ProviderDeclined, VisitExpired
from userapi.federation.tickets import Use
from userapi.mail import identity_emails
from userapi.mail.emails import Recipient
from userapi.users import accounts, email_address
from userapi.users.models import User

from . import admission, mailed_code_requests, sign_in_queries
from .admission import Identified
from .assurance import Proof
from .models import Session
from .problems import AccountChanged

#: The ways to prove that an account is the user's, before an identity is linked to it.
PASSWORD, CODE = "password", "mailed_code"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that a provider began.

    Attributes:
        session: the session.
        language: of the account.
    """

    session: Session
    language: str | None


@dataclass(frozen=True, slots=True)
class NewUser:
    """An identity that no account has.

    Attributes:
        ticket: for the registration.
        provider: what proved the identity.
        email: what the provider said; None if nothing.
        email_confirmed: whether it counts as confirmed if it is kept.
        first_name, last_name: to fill in the form with.
    """

    ticket: str
    provider: Provider
    email: str | None
    email_confirmed: bool
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class ProofOfAccount:
    """An identity whose email an account has, which must prove that it is the same user's.

    Attributes:
        ticket: for the proof.
        provider: what proved the identity.
        account: the account, as `matching.match` returns it.
        must_claim: whether its email is not confirmed: then only a code by email is a proof.
    """

    ticket: str
    provider: Provider
    account: Any
    must_claim: bool

    @property
    def ways(self) -> list[str]:
        """What proves it: a password, a code by email, or both."""
        has_password = self.account.password_hash is not None and not self.must_claim
        sends_codes = mailed_code_requests.may_use_codes(self.account)
        return [way for way, is_open in ((PASSWORD, has_password), (CODE, sends_codes)) if is_open]


Outcome = SignedIn | NewUser | ProofOfAccount


def way_of(provider: Provider) -> str:
    """How sessions begin that a provider signs in to."""
    return f"provider:{provider.id}"


def sign_in_with(
    provider: Provider, state_digest: str, assertion: Assertion, device_token: str | None = None
) -> Outcome:
    """Begin a session for an identity that a provider has proved, or say what comes first.

    Args:
        provider: the provider.
        state_digest: of the visit that was used up for it.
        assertion: what the provider said.
        device_token: of a device that needs no second step.

    Raises:
        ProviderDeclined: the account may not sign in, or no one may register; an audit event was written, which the
            caller must commit.
        SecondStepNeeded: the second step is due; the caller must commit.
        SecondStepLocked: nothing can be done as second step.
    """
    found = matching.match(provider, assertion)
    if isinstance(found, matching.Known):
        if found.is_new:
            _notify_of_link(found.account.id, provider)
        account = found.account
        identified = admission.identify_account(
            account, way_of(provider), Proof.PROVIDER, identity_id=found.identity_id
        )
        return SignedIn(admit(identified, device_token), account.language)
    if isinstance(found, matching.Registration):
        ticket = tickets.issue(state_digest, Use.REGISTRATION, assertion)
        return NewUser(ticket, provider, found.email, found.email_confirmed, assertion.first_name, assertion.last_name)
    ticket = tickets.issue(state_digest, Use.CLAIM if found.must_claim else Use.PROOF, assertion)
    return ProofOfAccount(ticket, provider, found.account, found.must_claim)


def require_ticket_of(provider_id: str, ticket: str) -> None:
    """Check that a ticket is of a visit to this provider: another tab may have visited another one since.

    Raises:
        UnknownProvider: the settings do not name the provider.
        VisitExpired: the ticket is not valid, or of another provider.
    """
    providers.find(provider_id)
    if tickets.find(ticket, Use.REGISTRATION, Use.PROOF, Use.CLAIM).provider != provider_id:
        raise VisitExpired


def find_new_user(ticket: str) -> NewUser:
    """The identity that waits for its registration; nothing is written.

    Raises:
        VisitExpired: there is none.
        UnknownProvider: the provider was removed from the settings.
    """
    visit = tickets.find(ticket, Use.REGISTRATION)
    provider = providers.find(visit.provider)
    is_confirmed = bool(visit.email_trusted and visit.email)
    return NewUser(ticket, provider, visit.email, is_confirmed, visit.first_name or "", visit.last_name or "")


def find_next(ticket: str) -> str | None:
    """The page that was requested before the visit that a ticket belongs to.

    Raises:
        VisitExpired: the ticket is not valid.
    """
    following: str | None = tickets.find(ticket, Use.REGISTRATION, Use.PROOF, Use.CLAIM).next
    return following


def register(ticket: str, new_user: Mapping[str, Any]) -> tuple[User, Session | None]:
    """Create the account of an identity, and begin a session unless the email must be confirmed first.

    Args:
        ticket: stays valid unless the account is created.
        new_user: what `accounts.create` takes. Without `email` it is that of the provider.

    Raises:
        VisitExpired: the ticket is unknown, used or expired.
        UnknownProvider: the provider was removed from the settings.
        IdentityTaken: another registration with this identity was faster.
        ValidationFailed, InvalidEmail, EmailTaken: nothing is written then.
        TooManyRequests: too many registrations came from the client.
    """
    visit = tickets.use(ticket, Use.REGISTRATION)
    provider = providers.find(visit.provider)
    email = new_user.get("email") or visit.email
    if not email:
        raise ValidationFailed(errors={"email": [_("Missing data for required field.")]})
    confirmed_key = email_address.key_or_none(visit.email) if visit.email and visit.email_trusted else None
    is_confirmed = confirmed_key is not None and email_address.key_or_none(email) == confirmed_key
    user = accounts.register(**{**new_user, "email": email, "password": None, "email_verified": is_confirmed})
    identity_id = identities.link(user.id, provider, assertions.of_visit(visit))
    if admission.must_be_verified() and not is_confirmed:
        return user, None
    identified = Identified(
        user_id=user.id,
        session_version=user.session_version,
        way=way_of(provider),
        proof=Proof.PROVIDER,
        password=None,
        needs_second_step=False,
        identity_id=identity_id,
    )
    return user, admission.admit(identified)


def link(user_id: int, provider: Provider, assertion: Assertion) -> int:
    """Link an identity to an account, as `identities.link` does, and email its user if it is new; its id."""
    is_new = not identities.is_linked(assertion)
    identity_id = identities.link(user_id, provider, assertion)
    if is_new:
        _notify_of_link(user_id, provider)
    return identity_id


def _notify_of_link(user_id: int, provider: Provider) -> None:
    """Email a user that a provider signs in to the account now."""
    user = Recipient(*sign_in_queries.read_recipient(user_id), user_id)
    identity_emails.send_identity_linked(user, provider=provider.name, when=clock.now())


def admit(identified: Identified, device_token: str | None) -> Session:
    """Begin a session, as `admission.admit` does.

    Raises:
        ProviderDeclined: the account has changed since it was identified; everything was rolled back.
    """
    try:
        return admission.admit(identified, device_token=device_token)
    except AccountChanged as error:
        db.session.rollback()
        raise ProviderDeclined("account changed") from error
