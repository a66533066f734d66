"""The statements about sign-ins that wait for their second step."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import UTCDateTime
from userapi.core.prepared import Read
from userapi.core.writes import count_rows, delete_some, hits
from userapi.mfa.queries import second_factors
from userapi.users.group_queries import GROUP_REQUIRES_SECOND_STEP
from userapi.users.queries import users

from .models import PendingSignIn

pending = PendingSignIn.__table__

#: A sign-in is void after everything that ends sessions, and if the second step was turned off since.
FIND = Read(
    sa.select(
        pending.c.digest,
        pending.c.user_id,
        pending.c.session_version,
        pending.c.way,
        pending.c.amr,
        pending.c.identity_id,
        pending.c.proved_email_key,
        users.c.is_staff,
        users.c.is_superuser,
        GROUP_REQUIRES_SECOND_STEP,
    )
    .select_from(
        pending.join(users, users.c.id == pending.c.user_id).join(
            second_factors, second_factors.c.user_id == pending.c.user_id
        )
    )
    .where(
        pending.c.digest == sa.bindparam("digest"),
        pending.c.used_at.is_(None),
        pending.c.expires_at > sa.bindparam("now", type_=UTCDateTime),
        pending.c.session_version == users.c.session_version,
        users.c.is_active,
        second_factors.c.active_since <= pending.c.created_at,
    )
)


def find_pending(digest: str, now: datetime) -> Any:
    """A sign-in that waits and can still be finished, outside any transaction."""
    return FIND.one(digest=digest, now=now)


def use_pending(digest: str, now: datetime) -> bool:
    """Use up a sign-in that waits; only one caller can win."""
    return hits(
        sa.update(PendingSignIn)
        .where(PendingSignIn.digest == digest, PendingSignIn.used_at.is_(None), PendingSignIn.expires_at > now)
        .values(used_at=now)
    )


def delete_pending(user_id: int) -> None:
    """Delete the sign-ins of a user that wait."""
    count_rows(sa.delete(PendingSignIn).where(PendingSignIn.user_id == user_id))


def delete_expired_pending(before: datetime, most: int) -> int:
    """Delete sign-ins that expired before a time, at most `most` of them; the number deleted."""
    return delete_some(PendingSignIn.digest, PendingSignIn.expires_at < before, most)
