"""The statement about the account that a token of the replaced service names."""

from typing import Any

import sqlalchemy as sa

from userapi.audit.models import AuditEvent
from userapi.core.prepared import Read
from userapi.mfa.requirement_queries import SIGN_IN, WITH_FACTORS
from userapi.users.queries import users


def read_account(user_id: int) -> Any:
    """What a token of the replaced service is checked against.

    Returns:
        `SIGN_IN`, email_key, date_joined and was_opened_here; None if there is no such account.
    """
    return ACCOUNT.one(user_id=user_id)


events = AuditEvent.__table__

#: Whether the account was not imported: every other way to open one records an event of its own.
WAS_OPENED_HERE = (
    sa.exists()
    .where(
        events.c.target_kind == "user",
        events.c.target_id == sa.cast(users.c.id, sa.String),
        events.c.action == "user.created",
    )
    .label("was_opened_here")
)

ACCOUNT = Read(
    sa.select(*SIGN_IN, users.c.email_key, users.c.date_joined, WAS_OPENED_HERE)
    .select_from(WITH_FACTORS)
    .where(users.c.id == sa.bindparam("user_id"))
)
