"""What signed-in users do with their identities at providers: link, list and unlink them."""

import uuid
from typing import Any

from userapi.core import clock
from userapi.core.provider_settings import Provider
from userapi.federation import assertions, identities, providers, tickets, visits
from userapi.federation.assertions import Assertion
from userapi.federation.problems import UnknownProvider, VisitExpired
from userapi.federation.visits import Purpose, Started
from userapi.mail import identity_emails
from userapi.users.models import User

from . import identity_queries, proof, provider_sign_in, sessions, ways_in
from .caller import Caller


def begin_link(
    caller: Caller,
    provider: Provider,
    *,
    browser_secret: str | None = None,
    return_to: str | None = None,
    client_challenge: str | None = None,
    client_state: str | None = None,
) -> Started:
    """Begin a visit to a provider whose identity is to be linked to the caller's account.

    Args:
        caller: who has recently proved the identity.
        provider: the provider.
        browser_secret: that of the caller's browser; None if an app sends a browser.
        return_to, client_challenge, client_state: where the browser returns to, and what the app finishes with.

    Raises:
        ProviderUnavailable, ProviderAnswerInvalid, TooManyRequests: as for `visits.begin`.
    """
    return visits.begin(
        provider,
        Purpose.LINK,
        browser_secret=browser_secret,
        return_to=return_to,
        client_challenge=client_challenge,
        client_state=client_state,
        user_id=caller.user.id,
        session_version=identity_queries.read_session_version(caller.user.id),
    )


def list_proofs(caller: Caller) -> list[Provider]:
    """The providers that the caller can sign in with again."""
    ids = {row.provider for row in identities.list_of(caller.user.id) if providers.can_sign_in(row)}
    return [provider for provider in providers.configured() if provider.id in ids]


def begin_proof(caller: Caller, provider: Provider, *, browser_secret: str, next: str) -> Started:
    """Begin a visit to a provider that must sign in to the caller's own account.

    Raises:
        ProviderUnavailable, ProviderAnswerInvalid, TooManyRequests: as for `visits.begin`.
    """
    return visits.begin(provider, Purpose.SIGN_IN, browser_secret=browser_secret, next=next, user_id=caller.user.id)


def finish_link(caller: Caller | None, provider: Provider, visit: Any, assertion: Assertion) -> None:
    """Link the identity that a visit of this browser has proved, if the caller is who began the visit.

    Raises:
        VisitExpired: the caller is someone else, or the account has changed since.
        IdentityTaken: the identity signs in to another account.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
    """
    if caller is None or caller.user.id != visit.user_id:
        raise VisitExpired
    user = proof.lock_account(caller)
    if user.session_version != visit.session_version:
        raise VisitExpired
    provider_sign_in.link(user.id, provider, assertion)


def confirm_link(caller: Caller, code: str, code_verifier: str) -> int:
    """Link the identity of a visit that an app began for the caller; its id.

    Args:
        caller: who must be the user that the visit was begun for.
        code: with which the browser returned to the app.
        code_verifier: of the challenge that the app sent.

    Raises:
        VisitExpired: the code is unknown, used, expired or another user's, or the verifier is wrong.
        UnknownProvider: the provider was removed from the settings.
        IdentityTaken: the identity signs in to another account.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
    """
    user = proof.lock_account(caller)
    visit = tickets.redeem(code, code_verifier, user=(user.id, user.session_version))
    return provider_sign_in.link(user.id, providers.find(visit.provider), assertions.of_visit(visit))


def unlink(caller: Caller, identity_id: int) -> None:
    """Unlink an identity of the caller; the sessions that began with it end, except that of this request.

    Raises:
        NotFound: there is no such identity, or it is another user's.
        LastWayIn: nothing else would sign in to the account.
        TokenRevoked, ProofNeeded: as `proof.lock_account` does.
    """
    unlink_from(proof.lock_account(caller), identity_id, spare=caller.session_id)


def unlink_from(user: User, identity_id: int, *, spare: uuid.UUID | None = None) -> str:
    """Unlink an identity of a locked user, who gets an email; the sessions that began with it end.

    Args:
        user: locked.
        identity_id: of the identity.
        spare: a session that does not end.

    Returns:
        The name of the provider.

    Raises:
        NotFound: there is no such identity, or it is another user's.
        LastWayIn: nothing else would sign in to the account; the caller must roll back.
    """
    now = clock.now()
    ended = identity_queries.end_sessions_of_identity(identity_id, user.id, now, spare=spare)
    if ended:
        sessions.record_end(user.id, ended)
    gone = identities.unlink(user, identity_id)
    ways_in.require_way_in(user)
    name = name_of(gone.provider)
    identity_emails.send_identity_unlinked(user, provider=name, when=now)
    return name


def list_identities(caller: Caller) -> list[dict[str, Any]]:
    """The identities of the caller, oldest first, and whether each can be unlinked."""
    rows = identities.list_of(caller.user.id)
    others = bool(rows) and ways_in.is_way_left(
        caller.user, has_password=caller.user.has_password, identities_left=lambda: 0
    )
    open_ids = {row.id for row in rows if providers.can_sign_in(row)}
    return [describe(row, can_unlink=others or bool(open_ids - {row.id})) for row in rows]


def describe(row: Any, *, can_unlink: bool) -> dict[str, Any]:
    """An identity as a JSON object."""
    return {
        "id": row.id,
        "provider": row.provider,
        "name": name_of(row.provider),
        "email": row.email,
        "created_at": row.created_at,
        "last_used_at": row.last_used_at,
        "can_unlink": can_unlink,
    }


def name_of(provider_id: str) -> str:
    """The name of a provider; its id if the settings do not have it any more."""
    try:
        return providers.find(provider_id).name
    except UnknownProvider:
        return provider_id


def name_provider_of_way(way: str) -> str:
    """The name of the provider that began a session; empty if none did."""
    kind, _colon, provider_id = way.partition(":")
    return name_of(provider_id) if kind == "provider" else ""
