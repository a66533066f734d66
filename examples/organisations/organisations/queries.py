"""The SELECTs, and the writes that only one request can win."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.extending import db

from .models import Invitation, Membership, Organisation, Role


def find_membership(organisation_id: int, user_id: int) -> Membership | None:
    """The membership of a user in an organisation."""
    return db.session.get(Membership, (organisation_id, user_id))


def lock_organisation(organisation_id: int) -> Organisation | None:
    """An organisation, locked until the transaction ends, so that its owners are counted by one request at a time."""
    return db.session.scalar(sa.select(Organisation).filter_by(id=organisation_id).with_for_update())


def list_organisations_of(user_id: int) -> list[tuple[Organisation, str]]:
    """The organisations of a user with the user's role, by name."""
    rows = db.session.execute(
        sa.select(Organisation, Membership.role)
        .join(Membership, Membership.organisation_id == Organisation.id)
        .where(Membership.user_id == user_id)
        .order_by(Organisation.name, Organisation.id)
    )
    return [(row.Organisation, row.role) for row in rows]


def list_all(after: int, most: int) -> list[Organisation]:
    """Organisations in the order of their ids, for staff."""
    return list(
        db.session.scalars(sa.select(Organisation).where(Organisation.id > after).order_by(Organisation.id).limit(most))
    )


def list_memberships(organisation_ids: list[int]) -> list[Membership]:
    """The members of organisations, those who joined first at the beginning."""
    return list(
        db.session.scalars(
            sa.select(Membership)
            .where(Membership.organisation_id.in_(organisation_ids))
            .order_by(Membership.organisation_id, Membership.joined_at, Membership.user_id)
        )
    )


def count_owners(organisation_id: int) -> int:
    """The number of owners."""
    return int(
        db.session.scalar(
            sa.select(sa.func.count())
            .select_from(Membership)
            .where(Membership.organisation_id == organisation_id, Membership.role == Role.OWNER)
        )
        or 0
    )


def list_owned_alone(user_id: int) -> list[int]:
    """The organisations that have other members, but no other owner."""
    others = sa.orm.aliased(Membership)
    is_of_other = sa.and_(others.organisation_id == Membership.organisation_id, others.user_id != user_id)
    return list(
        db.session.scalars(
            sa.select(Membership.organisation_id).where(
                Membership.user_id == user_id,
                Membership.role == Role.OWNER,
                sa.exists().where(is_of_other),
                ~sa.exists().where(is_of_other, others.role == Role.OWNER),
            )
        )
    )


def list_open_invitations(organisation_id: int, now: datetime) -> list[Invitation]:
    """The invitations of an organisation that can still be accepted."""
    return list(
        db.session.scalars(
            sa.select(Invitation)
            .where(Invitation.organisation_id == organisation_id, Invitation.expires_at > now)
            .order_by(Invitation.id)
        )
    )


def find_invitation(digest: str, now: datetime) -> Invitation | None:
    """The invitation with a token, if it can still be accepted."""
    return db.session.scalar(sa.select(Invitation).where(Invitation.digest == digest, Invitation.expires_at > now))


def take_invitation(digest: str, now: datetime) -> Any:
    """Delete an invitation and return its row; None if another request was first, or it has expired."""
    return db.session.execute(
        sa.delete(Invitation)
        .where(Invitation.digest == digest, Invitation.expires_at > now)
        .returning(Invitation.organisation_id, Invitation.email, Invitation.role)
    ).one_or_none()


def delete_invitations(*conditions: Any) -> int:
    """Delete invitations; returns their number."""
    return len(db.session.execute(sa.delete(Invitation).where(*conditions).returning(Invitation.id)).all())


def add_membership(organisation_id: int, user_id: int, role: str, now: datetime) -> bool:
    """Add a member; returns whether the user was none before."""
    made = db.session.execute(
        _insert(Membership)
        .values(organisation_id=organisation_id, user_id=user_id, role=role, joined_at=now)
        .on_conflict_do_nothing()
        .returning(Membership.user_id)
    )
    return made.one_or_none() is not None


def _insert(model: Any) -> Any:
    """An INSERT of the present database, which can ignore a row that exists."""
    if db.engine.dialect.name == "sqlite":
        return sa.dialects.sqlite.insert(model)
    return sa.dialects.postgresql.insert(model)
