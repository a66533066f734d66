"""The statements about keys that end soon or are used from another IP address; only one worker wins each."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from userapi.core.db import read_all
from userapi.core.writes import hits
from userapi.users.queries import users

from .api_key_models import ApiKey
from .api_key_queries import keys, with_users


def list_due(now: datetime, stages: Sequence[int], most: int) -> Sequence[sa.Row[Any]]:
    """Keys that have reached a stage which their owners have not been warned of, those that end first.

    Args:
        now: the current time.
        stages: numbers of days before the end.
        most: the maximum number of keys.

    Returns:
        id, name, last4, user_id, created_at, expires_at, replaced_by and warned_days, and of the user `kind`, `email`
        and `is_active`.
    """
    is_due = sa.or_(
        *(
            sa.and_(
                keys.c.expires_at <= now + timedelta(days=days),
                sa.or_(keys.c.warned_days.is_(None), keys.c.warned_days > days),
            )
            for days in stages
        )
    )
    of_keys = (
        "id", "name", "last4", "user_id", "created_at", "expires_at", "replaced_by", "warned_days",
    )  # fmt: skip
    statement = (
        sa.select(*(keys.c[name] for name in of_keys), users.c.kind, users.c.email, users.c.is_active)
        .select_from(with_users)
        .where(keys.c.revoked_at.is_(None), keys.c.expires_at <= now + timedelta(days=max(stages)), is_due)
        .order_by(keys.c.expires_at, keys.c.id)
        .limit(most)
    )
    return read_all(statement)


def mark_warned(key_id: uuid.UUID, expires_at: datetime, days: int) -> bool:
    """Store that the owner of a key has been warned; False if another worker has, or the end of the key has changed."""
    return hits(
        sa.update(ApiKey)
        .where(
            ApiKey.id == key_id,
            ApiKey.expires_at == expires_at,
            ApiKey.revoked_at.is_(None),
            sa.or_(ApiKey.warned_days.is_(None), ApiKey.warned_days > days),
        )
        .values(warned_days=days)
    )


def store_addresses(key_id: uuid.UUID, seen: str | None, known: str) -> bool:
    """Store the known IP addresses of a key; False if another request has stored others since they were read."""
    return hits(
        sa.update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.known_addresses.is_not_distinct_from(seen))
        .values(known_addresses=known)
    )
