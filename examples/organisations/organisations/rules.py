"""What members may do with an organisation. A rule flushes; routes and pages commit."""

from datetime import UTC, datetime

import sqlalchemy as sa

from userapi.extending import User, db, record

from . import queries
from .models import Membership, Organisation, Role
from .problems import NoSuchMember, NoSuchOrganisation, OwnerNeeded, RoleNeeded, TooManyOrganisations

KIND = "organisation"

#: With more organisations of a user, the claim would be larger than a token may have.
MAX_ORGANISATIONS = 30


def create(name: str, owner: User) -> Organisation:
    """Create an organisation with its first owner.

    Raises:
        TooManyOrganisations: the owner is a member of too many.
    """
    require_room(owner)
    now = datetime.now(UTC)
    organisation = Organisation(name=name, created_at=now)
    db.session.add(organisation)
    db.session.flush()
    db.session.add(Membership(organisation_id=organisation.id, user_id=owner.id, role=Role.OWNER.value, joined_at=now))
    record("organisations.created", KIND, organisation.id)
    return organisation


def require_role(organisation_id: int, user: User, *roles: Role) -> Role:
    """The role of a user, which must be one of these; without any, every member may.

    Raises:
        NoSuchOrganisation, RoleNeeded: the user is no member, or has another role.
    """
    membership = queries.find_membership(organisation_id, user.id)
    if membership is None:
        raise NoSuchOrganisation
    if roles and membership.role not in roles:
        raise RoleNeeded
    return Role(membership.role)


def require_room(user: User) -> None:
    """Check that a user may be a member of one more organisation.

    Raises:
        TooManyOrganisations: the user may not.
    """
    if len(queries.list_organisations_of(user.id)) >= MAX_ORGANISATIONS:
        raise TooManyOrganisations


def rename(organisation_id: int, name: str, by: User) -> Organisation:
    """Give an organisation another name; only owners may."""
    organisation = lock(organisation_id)
    require_role(organisation_id, by, Role.OWNER)
    record("organisations.renamed", KIND, organisation_id, {"name": (organisation.name, name)})
    organisation.name = name
    return organisation


def delete(organisation_id: int, by: User | None) -> None:
    """Delete an organisation with its members and invitations.

    Args:
        organisation_id: of the organisation.
        by: an owner; None for staff, whose permission the page has checked.
    """
    organisation = lock(organisation_id)
    if by is not None:
        require_role(organisation_id, by, Role.OWNER)
    record("organisations.deleted", KIND, organisation_id)
    db.session.execute(sa.delete(Organisation).where(Organisation.id == organisation.id))


def change_role(organisation_id: int, user_id: int, role: Role, by: User) -> Membership:
    """Give a member another role; only owners may.

    Raises:
        NoSuchMember: the user is no member.
        OwnerNeeded: no owner would be left.
    """
    lock(organisation_id)
    require_role(organisation_id, by, Role.OWNER)
    membership = _member(organisation_id, user_id)
    record(
        "organisations.role_changed", KIND, organisation_id, {f"role of user {user_id}": (membership.role, role.value)}
    )
    membership.role = role.value
    db.session.flush()
    _require_owner(organisation_id)
    return membership


def remove_member(organisation_id: int, user_id: int, by: User) -> None:
    """Remove a member. Everyone may leave; admins remove members; owners remove anyone.

    Raises:
        NoSuchMember: the user is no member.
        OwnerNeeded: no owner would be left.
    """
    lock(organisation_id)
    role = require_role(organisation_id, by)
    membership = _member(organisation_id, user_id)
    may_remove = role is Role.OWNER or (role is Role.ADMIN and membership.role == Role.MEMBER)
    if user_id != by.id and not may_remove:
        raise RoleNeeded
    db.session.delete(membership)
    db.session.flush()
    _require_owner(organisation_id)
    record("organisations.left", KIND, organisation_id, {"member": (user_id, None)})


def lock(organisation_id: int) -> Organisation:
    """An organisation, locked until the transaction ends."""
    organisation = queries.lock_organisation(organisation_id)
    if organisation is None:
        raise NoSuchOrganisation
    return organisation


def _member(organisation_id: int, user_id: int) -> Membership:
    membership = queries.find_membership(organisation_id, user_id)
    if membership is None:
        raise NoSuchMember
    return membership


def _require_owner(organisation_id: int) -> None:
    if not queries.count_owners(organisation_id):
        raise OwnerNeeded
