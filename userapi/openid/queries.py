"""Every statement about clients and what users allow them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one
from userapi.core.prepared import Read
from userapi.core.writes import count_rows, hits, insert

from .family_queries import IS_ACTIVE
from .models import MAX_ID_LENGTH, Client, Consent, TokenFamily

clients: Any = Client.__table__
consents: Any = Consent.__table__
families: Any = TokenFamily.__table__

CLIENT = Read(sa.select(*clients.c).where(clients.c.id == sa.bindparam("client_id")))


def find_client(client_id: str) -> Any:
    """The row of a client, read outside any transaction; None if there is none."""
    is_storable = len(client_id) <= MAX_ID_LENGTH and "\x00" not in client_id  # PostgreSQL rejects NUL
    return CLIENT.one(client_id=client_id) if is_storable else None


def find_active_client(client_id: str) -> Any:
    """The same; None also if it is disabled."""
    client = find_client(client_id)
    return client if client is not None and client.disabled_at is None else None


def lock_client(client_id: str) -> Client | None:
    """A client, locked until the transaction ends."""
    if "\x00" in client_id:
        return None
    return db.session.scalar(sa.select(Client).where(Client.id == client_id).with_for_update())


def list_clients() -> Sequence[sa.Row[Any]]:
    """All clients, by name."""
    return read_all(sa.select(*clients.c).order_by(sa.func.lower(clients.c.name), clients.c.id))


def count_clients() -> int:
    """The number of clients, as this transaction sees it."""
    return db.session.scalar(sa.select(sa.func.count()).select_from(clients)) or 0


def has_clients() -> bool:
    """Whether there is any client."""
    return read_one(sa.select(clients.c.id).limit(1)) is not None


def list_origins() -> set[str]:
    """The origins of the active clients."""
    rows = read_all(sa.select(clients.c.origins).where(clients.c.disabled_at.is_(None)))
    return {origin for row in rows for origin in row.origins}


def mark_client_used(client_id: str, now: datetime) -> None:
    """Store that a client got a token."""
    hits(sa.update(Client).where(Client.id == client_id).values(last_used_at=now))


# Consents

CONSENT = Read(
    sa.select(consents.c.scopes).where(
        consents.c.user_id == sa.bindparam("user_id"), consents.c.client_id == sa.bindparam("client_id")
    )
)


def find_consent(user_id: int, client_id: str) -> str:
    """What a user allows a client, as scopes; empty if nothing."""
    row = CONSENT.one(user_id=user_id, client_id=client_id)
    return row.scopes if row else ""


def lock_consent(user_id: int, client_id: str) -> Consent | None:
    """What a user allows a client, locked until the transaction ends."""
    statement = sa.select(Consent).where(Consent.user_id == user_id, Consent.client_id == client_id)
    return db.session.scalar(statement.with_for_update().execution_options(populate_existing=True))


def lock_allowed_scopes(user_id: int, client_id: str) -> str:
    """The scopes that a user allows a client, which no one withdraws before the transaction ends; empty if none."""
    statement = sa.select(Consent.scopes).where(Consent.user_id == user_id, Consent.client_id == client_id)
    return db.session.scalar(statement.with_for_update(read=True)) or ""


def add_consent(user_id: int, client_id: str, scopes: str, now: datetime) -> bool:
    """Store what a user allows a client for the first time; False if there is a row already."""
    values = {"user_id": user_id, "client_id": client_id, "scopes": scopes, "given_at": now, "changed_at": now}
    statement = insert(consents).values(values).on_conflict_do_nothing(index_elements=["user_id", "client_id"])
    return count_rows(statement) == 1


def delete_consent(user_id: int, client_id: str) -> bool:
    """Delete what a user allows a client; whether there was anything."""
    return hits(sa.delete(Consent).where(Consent.user_id == user_id, Consent.client_id == client_id))


def list_apps(user_id: int, now: datetime, idle_since: datetime) -> Sequence[sa.Row[Any]]:
    """The clients that a user allows something, or that hold tokens of the user, by name.

    `since` is when the user allowed it, or first signed in to one that needs no consent; `last_used_at` is None for one
    without tokens.
    """
    held = (
        sa.select(
            families.c.client_id,
            sa.func.max(families.c.refreshed_at).label("last_used_at"),
            sa.func.min(families.c.created_at).label("since"),
            sa.func.max(families.c.scopes).label("scopes"),
        )
        .where(families.c.user_id == user_id, *IS_ACTIVE)
        .group_by(families.c.client_id)
        .subquery()
    )
    allowed = consents.alias("allowed")
    return read_all(
        sa.select(
            clients.c.id,
            clients.c.name,
            clients.c.home_page,
            clients.c.is_first_party,
            sa.func.coalesce(allowed.c.scopes, held.c.scopes).label("scopes"),
            sa.func.coalesce(allowed.c.given_at, held.c.since).label("since"),
            held.c.last_used_at,
        )
        .select_from(
            clients.outerjoin(
                allowed, sa.and_(allowed.c.client_id == clients.c.id, allowed.c.user_id == user_id)
            ).outerjoin(held, held.c.client_id == clients.c.id)
        )
        .where(sa.or_(allowed.c.user_id.is_not(None), held.c.client_id.is_not(None)))
        .order_by(sa.func.lower(clients.c.name), clients.c.id),
        {"now": now, "idle_since": idle_since},
    )
