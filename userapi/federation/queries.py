"""The statements about identities and visits, and the writes that only one of several requests can win."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import UTCDateTime, db, read_all
from userapi.core.prepared import CommittingWrite, Read
from userapi.core.writes import count_rows, delete_some, hits, insert
from userapi.mfa.requirement_queries import SIGN_IN, WITH_FACTORS
from userapi.users.queries import users

from .models import Identity, Visit

identities: Any = Identity.__table__
visits: Any = Visit.__table__

NOW = sa.bindparam("now", type_=UTCDateTime)

#: What a sign-in needs to know of an account.
ACCOUNT = (*SIGN_IN, users.c.email, users.c.email_key, users.c.first_name, users.c.language, users.c.password_hash)

OF_IDENTITY = Read(
    sa.select(
        *ACCOUNT,
        identities.c.id.label("identity_id"),
        identities.c.email.label("identity_email"),
        identities.c.last_used_at,
    )
    .select_from(WITH_FACTORS.join(identities, identities.c.user_id == users.c.id))
    .where(identities.c.issuer == sa.bindparam("issuer"), identities.c.subject == sa.bindparam("subject"))
)

OF_EMAIL = Read(sa.select(*ACCOUNT).select_from(WITH_FACTORS).where(users.c.email_key == sa.bindparam("email_key")))

#: The visit to a provider that a state belongs to, until an answer comes.
_WAITS = (
    visits.c.state_digest == sa.bindparam("state_digest"),
    visits.c.provider == sa.bindparam("provider_id"),
    visits.c.answered_at.is_(None),
    visits.c.expires_at > NOW,
)

#: Of two requests with the same state, one gets the row. It commits, and the requests to the provider come after it.
SPEND = CommittingWrite(
    sa.update(visits)
    .where(*_WAITS, visits.c.browser_digest == sa.bindparam("browser"))
    .values(answered_at=NOW)
    .returning(*visits.c)
)

SPEND_NONCE = CommittingWrite(
    sa.update(visits).where(*_WAITS, visits.c.purpose == "nonce").values(answered_at=NOW).returning(*visits.c)
)

KEEP_NAME = CommittingWrite(
    sa.update(visits)
    .where(*_WAITS, visits.c.first_name.is_(None))
    .values(first_name=sa.bindparam("first"), last_name=sa.bindparam("last"))
    .returning(visits.c.provider)
)


def spend_visit(state_digest: str, provider_id: str, browser: str, now: datetime) -> Any:
    """Use up the state of a visit; the visit, or None. It commits."""
    return SPEND.one(state_digest=state_digest, provider_id=provider_id, browser=browser, now=now)


def spend_nonce(state_digest: str, provider_id: str, now: datetime) -> Any:
    """Use up a nonce of an app; the visit, or None. It commits."""
    return SPEND_NONCE.one(state_digest=state_digest, provider_id=provider_id, now=now)


def keep_name(state_digest: str, provider_id: str, first: str, last: str, now: datetime) -> None:
    """Store the names that came with an answer, for a form. It commits."""
    KEEP_NAME.all(state_digest=state_digest, provider_id=provider_id, first=first, last=last, now=now)


def find_account_of_identity(issuer: str, subject: str) -> Any:
    """The account that an identity signs in to, with `identity_id`, `identity_email` and `last_used_at`; or None."""
    return OF_IDENTITY.one(issuer=issuer, subject=subject)


def find_account_of_email(email_key: str) -> Any:
    """The account that has an email; or None."""
    return OF_EMAIL.one(email_key=email_key)


def use_identity(identity_id: int, email: str | None, *, is_trusted: bool, now: datetime) -> bool:
    """Store that an identity signed in, and what the provider says about its email now; False if it was deleted."""
    return bool(
        count_rows(
            sa.update(Identity)
            .where(Identity.id == identity_id)
            .values(email=email, email_trusted=is_trusted, last_used_at=now)
        )
    )


def insert_identity(values: dict[str, Any]) -> int | None:
    """Store an identity; None if it is there already. Of several requests, one can win."""
    statement = insert(Identity).values(values).on_conflict_do_nothing().returning(Identity.id)
    identity_id: int | None = db.session.scalar(statement)
    return identity_id


def find_identity(issuer: str, subject: str) -> Any:
    """The id and user_id of an identity, as the current transaction sees it."""
    return db.session.execute(
        sa.select(Identity.id, Identity.user_id).where(Identity.issuer == issuer, Identity.subject == subject)
    ).one_or_none()


def list_identities(user_id: int) -> Sequence[Any]:
    """The identities of a user, oldest first, outside any transaction."""
    shown = ("id", "provider", "issuer", "email", "created_at", "last_used_at")
    own = sa.select(*(identities.c[name] for name in shown)).where(identities.c.user_id == user_id)
    return read_all(own.order_by(identities.c.created_at, identities.c.id))


def find_last_uses() -> dict[str, datetime]:
    """When an identity last signed in, by provider, outside any transaction. It reads all identities."""
    last = sa.func.max(identities.c.last_used_at).label("last")
    rows = read_all(sa.select(identities.c.provider, last).group_by(identities.c.provider))
    return {row.provider: row.last for row in rows if row.last is not None}


def read_issuers(user_id: int) -> Sequence[Any]:
    """Provider and issuer of each identity of a user, as the current transaction sees them."""
    return db.session.execute(sa.select(Identity.provider, Identity.issuer).where(Identity.user_id == user_id)).all()


def delete_identity(identity_id: int, user_id: int) -> Any:
    """Delete an identity of a user; what it was: id, issuer, subject, provider and email, or None."""
    return db.session.execute(
        sa.delete(Identity)
        .where(Identity.id == identity_id, Identity.user_id == user_id)
        .returning(Identity.id, Identity.issuer, Identity.subject, Identity.provider, Identity.email)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def delete_identities(user_id: int) -> Sequence[Any]:
    """Delete all identities of a user; issuer and subject of each."""
    return db.session.execute(
        sa.delete(Identity)
        .where(Identity.user_id == user_id)
        .returning(Identity.issuer, Identity.subject, Identity.provider)
        .execution_options(synchronize_session=False)
    ).all()


def adopt_visit(state_digest: str, provider_id: str, browser: str, now: datetime) -> bool:
    """Bind a visit to the first browser that comes; only one can."""
    return hits(
        sa.update(Visit)
        .where(
            Visit.state_digest == state_digest,
            Visit.provider == provider_id,
            Visit.browser_digest.is_(None),
            Visit.user_id.is_not(None),
            Visit.answered_at.is_(None),
            Visit.expires_at > now,
        )
        .values(browser_digest=browser)
    )


def store_answer(state_digest: str, values: dict[str, Any]) -> bool:
    """Store what the provider said, and the ticket for what follows, with a visit that was answered."""
    return hits(
        sa.update(Visit).where(Visit.state_digest == state_digest, Visit.answered_at.is_not(None)).values(**values)
    )


def find_ticket(digest: str, uses: Sequence[str], now: datetime) -> Any:
    """The visit of a ticket that was not used; nothing is written."""
    found = read_all(sa.select(*visits.c).where(*_usable(digest, uses, now)))
    return found[0] if found else None


def use_ticket(digest: str, uses: Sequence[str], now: datetime, *conditions: sa.ColumnElement[bool]) -> Any:
    """Use up a ticket; the visit, or None. Only one caller can win."""
    return db.session.execute(
        sa.update(Visit)
        .where(*_usable(digest, uses, now), *conditions)
        .values(used_at=now)
        .returning(*visits.c)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def _usable(digest: str, uses: Sequence[str], now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        visits.c.ticket_digest == digest,
        visits.c.outcome.in_(uses),
        visits.c.used_at.is_(None),
        visits.c.expires_at > now,
    )


def void_visits_of_identity(issuer: str, subject: str) -> None:
    """Delete the visits that an identity has answered, with their tickets."""
    count_rows(sa.delete(Visit).where(Visit.issuer == issuer, Visit.subject == subject))


def delete_expired_visits(before: datetime, most: int) -> int:
    """Delete visits that expired before a time, at most `most` of them; the number deleted."""
    return delete_some(Visit.state_digest, Visit.expires_at < before, most)
