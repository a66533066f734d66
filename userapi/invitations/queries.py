"""The statements about invitations; of those that write, one request alone can win."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one
from userapi.core.writes import count_rows, insert
from userapi.users.models import User

from .models import IS_OPEN, Invitation, State, of_staff, of_users

invitations: Any = Invitation.__table__

#: Whether staff sent it, or a user who may invite others and is active: the invitations of one who was deactivated or
#: deleted open no account.
HAS_SENDER = sa.or_(
    Invitation.by_staff.is_(True),
    sa.exists().where(User.id == Invitation.inviter_id, User.is_active.is_(True)),
)

#: What a new invitation keeps of the one that it replaces.
KEPT = ("created_at",)


def save(values: dict[str, Any]) -> Invitation:
    """Insert an invitation, or replace the open one that the same inviter, or staff, sent to the same address."""
    added = insert(Invitation).values(values)
    is_by_staff = values["by_staff"]
    columns = ["email_key"] if is_by_staff else ["email_key", "inviter_id"]
    saved = added.on_conflict_do_update(
        index_elements=columns,
        index_where=of_staff if is_by_staff else of_users,
        set_={name: added.excluded[name] for name in values if name not in KEPT},
    )
    found: Invitation = db.session.scalars(
        saved.returning(Invitation), execution_options={"populate_existing": True}
    ).one()
    return found


def renew(
    invitation_id: int, digest: str, now: datetime, expires_at: datetime, *conditions: sa.ColumnElement[bool]
) -> Invitation | None:
    """Give an open invitation another link; None if there is no open one with this id whose link can be accepted."""
    values = {"digest": digest, "sent_at": now, "expires_at": expires_at}
    return _update(values, Invitation.id == invitation_id, IS_OPEN, HAS_SENDER, *conditions)


def revoke(invitation_id: int, now: datetime, *conditions: sa.ColumnElement[bool]) -> Invitation | None:
    """Revoke an open invitation; None if there is no open one with this id."""
    return _update({"revoked_at": now}, Invitation.id == invitation_id, IS_OPEN, *conditions)


def accept(digest: str, now: datetime) -> Invitation | None:
    """Accept the invitation with a token; None unless it can be. Of two requests, one gets it."""
    return _update({"accepted_at": now}, *_is_valid(digest, now))


def set_user(invitation_id: int, user_id: int) -> None:
    """Store which account was opened with an invitation."""
    count_rows(sa.update(Invitation).where(Invitation.id == invitation_id).values(user_id=user_id))


def find_valid(digest: str, now: datetime) -> sa.Row[Any] | None:
    """The invitation with a token that can be accepted now; nothing is written or locked."""
    return read_one(sa.select(invitations).where(*_is_valid(digest, now)))


def keep_inviter(digest: str) -> User | None:
    """The user who sent the invitation with a token, as they stay until the transaction ends.

    It is locked before the invitation, as where a user is deleted, so that neither waits for the other.
    """
    return db.session.scalar(
        sa.select(User)
        .join(Invitation, Invitation.inviter_id == User.id)
        .where(Invitation.digest == digest)
        .with_for_update(read=True, of=User)
        .execution_options(populate_existing=True)
    )


def find(invitation_id: int, *conditions: sa.ColumnElement[bool]) -> sa.Row[Any] | None:
    """One invitation."""
    return read_one(sa.select(invitations).where(invitations.c.id == invitation_id, *conditions))


def list_newest(
    state: State | None, now: datetime, limit: int, before_id: int | None = None, inviter_id: int | None = None
) -> Sequence[sa.Row[Any]]:
    """Invitations, the newest first.

    Args:
        state: only those in this state.
        now: when.
        limit: the maximum number.
        before_id: only those with a smaller id.
        inviter_id: only those that this user has sent, who may invite others without being staff.
    """
    statement = sa.select(invitations).order_by(invitations.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(_is_in(state, now))
    if before_id is not None:
        statement = statement.where(invitations.c.id < before_id)
    if inviter_id is not None:
        statement = statement.where(is_of(inviter_id))
    return read_all(statement)


def is_of(inviter_id: int) -> sa.ColumnElement[bool]:
    """Whether a user who may invite others has sent it."""
    return sa.and_(invitations.c.inviter_id == inviter_id, invitations.c.by_staff.is_(False))


def count_of(inviter_id: int) -> int:
    """How many a user has sent who may invite others, as this transaction sees it."""
    return db.session.scalar(sa.select(sa.func.count()).select_from(invitations).where(is_of(inviter_id))) or 0


def has_open(email_key: str, inviter_id: int) -> bool:
    """Whether such a user has invited this address and the invitation is open."""
    found = sa.select(invitations.c.id).where(invitations.c.email_key == email_key, is_of(inviter_id), IS_OPEN)
    return db.session.scalar(found) is not None


def has_invited(user_id: int) -> bool:
    """Whether a user has sent an invitation that is still stored."""
    found = sa.select(invitations.c.id).where(invitations.c.inviter_id == user_id).limit(1)
    return db.session.scalar(found) is not None


def list_only_by_user(inviter_id: int) -> Sequence[sa.Row[Any]]:
    """The invitations that a user has sent to addresses that no one else has invited."""
    others = invitations.alias("others")
    by_others = sa.or_(others.c.inviter_id.is_(None), others.c.inviter_id != inviter_id)
    by_another = sa.exists().where(others.c.email_key == invitations.c.email_key, by_others)
    is_own = invitations.c.inviter_id == inviter_id
    return db.session.execute(sa.select(invitations).where(is_own, ~by_another).order_by(invitations.c.id)).all()


def list_to_user(user_id: int, email_key: str) -> Sequence[sa.Row[Any]]:
    """The invitations to a user: the accepted one, and those to the present address."""
    to_user = sa.or_(invitations.c.user_id == user_id, invitations.c.email_key == email_key)
    return db.session.execute(sa.select(invitations).where(to_user).order_by(invitations.c.id)).all()


def delete_all(ids: Sequence[int]) -> None:
    """Delete invitations."""
    if ids:
        count_rows(sa.delete(Invitation).where(Invitation.id.in_(ids)))


def list_ended(before: datetime, limit: int) -> Sequence[sa.Row[Any]]:
    """Some invitations that expired, or were accepted or revoked, before a moment."""
    ended_at = sa.func.coalesce(invitations.c.accepted_at, invitations.c.revoked_at, invitations.c.expires_at)
    has_ended = sa.or_(
        invitations.c.expires_at < before, invitations.c.accepted_at < before, invitations.c.revoked_at < before
    )
    columns = (invitations.c.id, invitations.c.email, invitations.c.email_key)
    return db.session.execute(sa.select(*columns).where(has_ended, ended_at < before).limit(limit)).all()


def _is_valid(digest: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return (Invitation.digest == digest, IS_OPEN, Invitation.expires_at > now, HAS_SENDER)


def _is_in(state: State, now: datetime) -> sa.ColumnElement[bool]:
    conditions: dict[State, sa.ColumnElement[bool]] = {
        State.ACCEPTED: Invitation.accepted_at.is_not(None),
        State.REVOKED: Invitation.revoked_at.is_not(None),
        State.PENDING: sa.and_(IS_OPEN, Invitation.expires_at > now),
        State.EXPIRED: sa.and_(IS_OPEN, Invitation.expires_at <= now),
    }
    return conditions[state]


def _update(values: dict[str, Any], *conditions: Any) -> Invitation | None:
    statement = sa.update(Invitation).where(*conditions).values(values).returning(Invitation)
    return db.session.scalar(statement, execution_options={"populate_existing": True, "synchronize_session": False})
