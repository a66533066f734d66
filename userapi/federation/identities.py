"""The identities of an account: linking, listing and unlinking them."""

from collections.abc import Sequence
from typing import Any

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.problems import NotFound
from userapi.core.provider_settings import Provider
from userapi.users.models import User

from . import providers, queries
from .assertions import Assertion
from .problems import IdentityTaken, VisitExpired


def link(user_id: int, provider: Provider, assertion: Assertion) -> int:
    """Link an identity to an account. The INSERT decides between requests at the same time.

    Args:
        user_id: whose account.
        provider: which has proved the identity.
        assertion: the identity.

    Returns:
        The id of the identity, also if it was linked to this account before.

    Raises:
        IdentityTaken: it is linked to another account.
    """
    now = clock.now()
    identity_id = queries.insert_identity(
        {
            "user_id": user_id,
            "issuer": assertion.issuer,
            "subject": assertion.subject,
            "provider": provider.id,
            "email": assertion.email,
            "email_trusted": assertion.email_trusted,
            "created_at": now,
            "last_used_at": now,
        }
    )
    if identity_id is not None:
        audit_log.record("identity.linked", "user", user_id, _describe(provider.id, assertion.email), actor_id=user_id)
        return identity_id
    found = queries.find_identity(assertion.issuer, assertion.subject)
    if found is None or found.user_id != user_id:
        raise IdentityTaken
    return int(found.id)


def is_linked(assertion: Assertion) -> bool:
    """Whether an identity is linked to an account, as the current transaction sees it."""
    return queries.find_identity(assertion.issuer, assertion.subject) is not None


def require_linked_to(user_id: int, assertion: Assertion) -> None:
    """Check that an identity belongs to the account that a visit is about.

    Raises:
        VisitExpired: it belongs to another account, or to none.
    """
    found = queries.find_identity(assertion.issuer, assertion.subject)
    if found is None or found.user_id != user_id:
        raise VisitExpired


def unlink(user: User, identity_id: int) -> Any:
    """Unlink an identity from a locked user. What it has begun and not finished is void.

    End the sessions that began with it first: afterwards they no longer name it. Check then that a way to sign in is
    left.

    Returns:
        What it was: id, issuer, subject, provider and email.

    Raises:
        NotFound: there is no such identity, or it is another user's.
    """
    gone = queries.delete_identity(identity_id, user.id)
    if gone is None:
        raise NotFound(_("You have no linked account with this id."))
    queries.void_visits_of_identity(gone.issuer, gone.subject)
    audit_log.record("identity.unlinked", "user", user.id, _describe(gone.provider, gone.email, is_gone=True))
    return gone


def unlink_all(user: User) -> Sequence[Any]:
    """Unlink every identity of a locked user, as others may have linked them; issuer, subject and provider of each."""
    gone = queries.delete_identities(user.id)
    for identity in gone:
        queries.void_visits_of_identity(identity.issuer, identity.subject)
        audit_log.record("identity.unlinked", "user", user.id, _describe(identity.provider, None, is_gone=True))
    return gone


def count(user_id: int) -> int:
    """The number of identities of a user that can sign in, as the current transaction sees them."""
    return sum(map(providers.can_sign_in, queries.read_issuers(user_id)))


def list_of(user_id: int) -> Sequence[Any]:
    """The identities of a user, oldest first: id, provider, issuer, email, created_at and last_used_at."""
    return queries.list_identities(user_id)


def _describe(provider_id: str, email: str | None, *, is_gone: bool = False) -> dict[str, tuple[Any, Any]]:
    values = {"provider": provider_id, **({"email": email} if email else {})}
    return {name: (value, None) if is_gone else (None, value) for name, value in values.items()}
