"""Every statement about authorization requests and their codes."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_one
from userapi.core.prepared import Write
from userapi.core.writes import count_rows, delete_some, hits

from .models import Authorization

authorizations: Any = Authorization.__table__


def claim_request(handle_digest: str, client_id: str, now: datetime) -> Any:
    """Use up a pushed request; its parameters, or None if it is unknown, used, expired or of another client."""
    statement = (
        sa.delete(Authorization)
        .where(
            Authorization.handle_digest == handle_digest,
            Authorization.client_id == client_id,
            Authorization.is_pushed,
            Authorization.expires_at > now,
        )
        .returning(Authorization.request)
        .execution_options(synchronize_session=False)
    )
    return db.session.execute(statement).scalar_one_or_none()


def find_request(handle_digest: str, now: datetime) -> Any:
    """A request that a browser came with; None if it is unknown or has expired."""
    return read_one(
        sa.select(*authorizations.c).where(
            authorizations.c.handle_digest == handle_digest,
            sa.not_(authorizations.c.is_pushed),
            authorizations.c.expires_at > now,
        )
    )


def is_code_issued(handle_digest: str, code_digest: str) -> bool:
    """Whether a request was answered with a code."""
    statement = sa.select(Authorization.handle_digest).where(
        Authorization.handle_digest == handle_digest, Authorization.code_digest == code_digest
    )
    return db.session.scalar(statement) is not None


def bind_request(handle_digest: str, user_id: int) -> bool:
    """Bind a request to the user who looks at it first; False if it is another's."""
    return hits(
        sa.update(Authorization)
        .where(
            Authorization.handle_digest == handle_digest,
            sa.or_(Authorization.user_id.is_(None), Authorization.user_id == user_id),
        )
        .values(user_id=user_id)
    )


def release_request(handle_digest: str, user_id: int) -> None:
    """Let another user answer a request that waits."""
    hits(
        sa.update(Authorization)
        .where(
            Authorization.handle_digest == handle_digest,
            Authorization.user_id == user_id,
            Authorization.answered_at.is_(None),
        )
        .values(user_id=None)
    )


def answer_request(handle_digest: str, user_id: int, now: datetime, **values: Any) -> bool:
    """Store the answer of a user to a request; only one can win."""
    return hits(
        sa.update(Authorization)
        .where(
            Authorization.handle_digest == handle_digest,
            sa.or_(Authorization.user_id.is_(None), Authorization.user_id == user_id),
            Authorization.answered_at.is_(None),
            Authorization.expires_at > now,
        )
        .values(user_id=user_id, answered_at=now, **values)
    )


def spend_code(code_digest: str, client_id: str, family_id: uuid.UUID, now: datetime) -> Any:
    """Use up a code; only one request can win. None if it is unknown, used, expired or of another client."""
    return SPEND_CODE.one(code_digest=code_digest, client_id=client_id, family_id=family_id, now=now)


SPEND_CODE = Write(
    sa.update(Authorization)
    .where(
        authorizations.c.code_digest == sa.bindparam("code_digest"),
        authorizations.c.client_id == sa.bindparam("client_id"),
        authorizations.c.used_at.is_(None),
        authorizations.c.code_expires_at > sa.bindparam("now"),
    )
    .values(used_at=sa.bindparam("now"), family_id=sa.bindparam("family_id"))
    .returning(
        authorizations.c.request,
        authorizations.c.user_id,
        authorizations.c.session_id,
        authorizations.c.session_version,
        authorizations.c.scopes,
    )
)


def end_codes(user_id: int, client_id: str, now: datetime) -> None:
    """End the codes of a user that a client has not exchanged yet."""
    count_rows(
        sa.update(Authorization)
        .where(
            Authorization.user_id == user_id,
            Authorization.client_id == client_id,
            Authorization.used_at.is_(None),
            Authorization.code_expires_at > now,
        )
        .values(code_expires_at=now)
    )


def find_family_of_code(code_digest: str, client_id: str) -> uuid.UUID | None:
    """The tokens that a used code was exchanged for."""
    return db.session.scalar(
        sa.select(Authorization.family_id).where(
            Authorization.code_digest == code_digest,
            Authorization.client_id == client_id,
            Authorization.used_at.is_not(None),
        )
    )


def delete_expired_authorizations(before: datetime, limit: int) -> int:
    """Delete some authorization requests that expired before a moment; the number deleted."""
    return delete_some(Authorization.handle_digest, Authorization.expires_at < before, limit)
