"""Proving that an account is the user's, before an identity at a provider is linked to it (decision 0071)."""

import uuid

from flask_babel import gettext as _

from userapi.core.db import db
from userapi.core.problems import ValidationFailed
from userapi.federation import assertions, matching, providers, tickets, visits
from userapi.federation.problems import VisitExpired
from userapi.federation.tickets import Use

from . import admission, mailed_code_requests, mailed_codes, proof, provider_sign_in, set_up_sessions, sign_in
from .caller import Caller
from .mailed_code_secrets import Purpose
from .mailed_codes import SignedIn
from .models import Session
from .problems import AccountChanged
from .provider_sign_in import ProofOfAccount


def find_proof(ticket: str) -> ProofOfAccount:
    """The identity that waits for a proof, and the account that has its email now.

    Raises:
        VisitExpired: there is none, or no account has the email any more.
        UnknownProvider: the provider was removed from the settings.
        ProviderDeclined: the account may not sign in any more; an audit event was written, which must be committed.
    """
    visit = tickets.find(ticket, Use.PROOF, Use.CLAIM)
    provider = providers.find(visit.provider)
    found = matching.look_up(provider, assertions.of_visit(visit))
    if not isinstance(found, matching.ProofNeeded) or (found.must_claim and visit.outcome != Use.CLAIM):
        raise VisitExpired
    return ProofOfAccount(ticket, provider, found.account, found.must_claim)


def link_by_password(ticket: str, password: str, code: str | None = None, device_token: str | None = None) -> Session:
    """Prove an account by its password, link the identity to it, and begin a session.

    If the second step is due, nothing is linked: once it is done, `link_to_caller` takes the same ticket.

    Args:
        ticket: as `provider_sign_in.sign_in_with` returned it.
        password: as typed.
        code: for the second step, if it is done in the same request.
        device_token: of a device that needs no second step.

    Raises:
        InvalidCredentials, SecondStepNeeded, InvalidCode, SecondStepLocked, TooManyRequests: as for `sign_in.sign_in`.
        ValidationFailed: only a code by email is a proof for this account.
        VisitExpired, UnknownProvider, ProviderDeclined: as for `find_proof`.
        IdentityTaken: the identity was linked to another account since.
    """
    while True:
        waiting = find_proof(ticket)
        if waiting.must_claim:
            raise ValidationFailed(errors={"password": [_("This account needs a code by email.")]})
        identified = sign_in.identify(waiting.account.email, password)
        if identified.user_id != waiting.account.id:  # the email has moved to another account since
            raise VisitExpired
        try:
            session = admission.admit(identified, code, device_token)
        except AccountChanged:
            db.session.rollback()
        else:
            _link(waiting)
            return session


def request_code(ticket: str) -> uuid.UUID:
    """Email a code that proves the account that has the email of an identity; what names the request.

    Raises:
        CodesUnavailable: the service sends no codes.
        VisitExpired, UnknownProvider, ProviderDeclined: as for `find_proof`.
        TooManyRequests: the client requested too many codes.
    """
    waiting = find_proof(ticket)
    return mailed_code_requests.request_for_account(waiting.account.id, Purpose.CLAIM, visits.digest(ticket))


def link_by_code(ticket: str, challenge: str, code: str, device_token: str | None = None) -> SignedIn:
    """Prove an account by a code from an email, link the identity to it, and begin a session.

    If the email of the account was not confirmed, everything else that gave access to it goes. If the second step is
    due, nothing is linked: once it is done, `link_to_caller` takes the same ticket.

    Args:
        ticket: as `provider_sign_in.sign_in_with` returned it.
        challenge: what names the request for the code.
        code: as typed.
        device_token: of a device that needs no second step.

    Raises:
        InvalidMailedCode: the code is not valid; an audit event was written, which the caller must commit.
        SecondStepNeeded: the code is right, and the second step is due; the caller must commit.
        SecondStepLocked: the code is right; nothing can be done as second step.
        VisitExpired, UnknownProvider, ProviderDeclined: as for `find_proof`.
        IdentityTaken: the identity was linked to another account since.
        TooManyRequests: too many codes were wrong; it was not compared.
    """
    waiting = find_proof(ticket)
    proven = mailed_codes.use_for_account(challenge, code, Purpose.CLAIM, waiting.account.id, visits.digest(ticket))
    session = provider_sign_in.admit(mailed_codes.identify(proven), device_token)
    _link(waiting)
    return SignedIn(session, proven.is_claimed)


def link_to_caller(ticket: str, caller: Caller) -> None:
    """Link the identity to the account that the caller has recently signed in to in another way.

    Raises:
        SecondStepRequired: the caller has to set up or give a second step first.
        ProofNeeded: the last proof of identity is too old.
        VisitExpired: the account with the email of the identity is another one.
        UnknownProvider, ProviderDeclined: as for `find_proof`.
        IdentityTaken: the identity was linked to another account since.
    """
    set_up_sessions.require_full(caller.is_for_set_up)
    waiting = find_proof(ticket)
    if waiting.account.id != caller.user.id or waiting.must_claim:
        raise VisitExpired
    proof.require_fresh(caller)
    _link(waiting)


def _link(waiting: ProofOfAccount) -> None:
    """Use up the ticket, and link its identity to the account that was proved."""
    visit = tickets.use(waiting.ticket, Use.CLAIM, Use.PROOF)
    provider_sign_in.link(waiting.account.id, waiting.provider, assertions.of_visit(visit))
