"""The operations of the API. Each parses its input, calls one rule, commits and responds."""

from typing import Any

from userapi.extending import Blueprint, User, current_user, db, list_users

from . import invitations, queries, rules
from .models import Invitation, Membership, Organisation, Role
from .problems import (
    AlreadyMember,
    InvalidInvitation,
    NoSuchMember,
    NoSuchOrganisation,
    OwnerNeeded,
    RoleNeeded,
    TooManyInvitations,
    TooManyOrganisations,
)
from .schemas import (
    InvitationInputSchema,
    InvitationSchema,
    MemberSchema,
    OrganisationInputSchema,
    OrganisationSchema,
    RoleSchema,
    TokenSchema,
)

blueprint = Blueprint("organisations", __name__, description="Organisations, their members, and invitations to them.")

Document = dict[str, Any]


@blueprint.get("/")
@blueprint.response(200, OrganisationSchema(many=True))
def list_organisations() -> list[Document]:
    """List your organisations."""
    return [_organisation(found, role) for found, role in queries.list_organisations_of(_me().id)]


@blueprint.post("/")
@blueprint.arguments(OrganisationInputSchema)
@blueprint.response(201, OrganisationSchema)
@blueprint.raises(TooManyOrganisations)
def create_organisation(body: Document) -> tuple[Document, int]:
    """Create an organisation. You are its first owner."""
    organisation = rules.create(body["name"], _me())
    db.session.commit()
    return _organisation(organisation, Role.OWNER), 201


@blueprint.get("/<row_id:organisation_id>/")
@blueprint.response(200, OrganisationSchema)
@blueprint.raises(NoSuchOrganisation)
def read_organisation(organisation_id: int) -> Document:
    """Read an organisation that you are a member of."""
    role = rules.require_role(organisation_id, _me())
    return _organisation(db.session.get_one(Organisation, organisation_id), role)


@blueprint.patch("/<row_id:organisation_id>/")
@blueprint.arguments(OrganisationInputSchema)
@blueprint.response(200, OrganisationSchema)
@blueprint.raises(NoSuchOrganisation, RoleNeeded)
def rename_organisation(body: Document, organisation_id: int) -> Document:
    """Rename an organisation that you own."""
    organisation = rules.rename(organisation_id, body["name"], _me())
    db.session.commit()
    return _organisation(organisation, Role.OWNER)


@blueprint.delete("/<row_id:organisation_id>/")
@blueprint.fresh
@blueprint.response(204)
@blueprint.raises(NoSuchOrganisation, RoleNeeded)
def delete_organisation(organisation_id: int) -> tuple[str, int]:
    """Delete an organisation that you own. Its members keep their accounts."""
    rules.delete(organisation_id, _me())
    db.session.commit()
    return "", 204


@blueprint.get("/<row_id:organisation_id>/members/")
@blueprint.response(200, MemberSchema(many=True))
@blueprint.raises(NoSuchOrganisation)
def list_members(organisation_id: int) -> list[Document]:
    """List the members of an organisation."""
    rules.require_role(organisation_id, _me())
    memberships = queries.list_memberships([organisation_id])
    users = list_users([membership.user_id for membership in memberships])
    return [_member(membership, users[membership.user_id]) for membership in memberships]


@blueprint.patch("/<row_id:organisation_id>/members/<row_id:user_id>/")
@blueprint.arguments(RoleSchema)
@blueprint.response(200, MemberSchema)
@blueprint.raises(NoSuchOrganisation, NoSuchMember, RoleNeeded, OwnerNeeded)
def change_role(body: Document, organisation_id: int, user_id: int) -> Document:
    """Give a member another role. Only owners may."""
    membership = rules.change_role(organisation_id, user_id, Role(body["role"]), _me())
    db.session.commit()
    return _member(membership, list_users([user_id])[user_id])


@blueprint.delete("/<row_id:organisation_id>/members/<row_id:user_id>/")
@blueprint.response(204)
@blueprint.raises(NoSuchOrganisation, NoSuchMember, RoleNeeded, OwnerNeeded)
def remove_member(organisation_id: int, user_id: int) -> tuple[str, int]:
    """Remove a member, or leave. Admins remove members, owners anyone."""
    rules.remove_member(organisation_id, user_id, _me())
    db.session.commit()
    return "", 204


@blueprint.get("/<row_id:organisation_id>/invitations/")
@blueprint.response(200, InvitationSchema(many=True))
@blueprint.raises(NoSuchOrganisation, RoleNeeded)
def list_invitations(organisation_id: int) -> list[Document]:
    """List the open invitations. Only owners and admins may."""
    return [_invitation(found) for found in invitations.list_open(organisation_id, _me())]


@blueprint.post("/<row_id:organisation_id>/invitations/")
@blueprint.arguments(InvitationInputSchema)
@blueprint.response(201, InvitationSchema)
@blueprint.raises(NoSuchOrganisation, RoleNeeded, AlreadyMember, TooManyInvitations)
def invite(body: Document, organisation_id: int) -> tuple[Document, int]:
    """Invite someone by email. The link is valid for a week; a second invitation replaces the first."""
    invitation = invitations.invite(organisation_id, body["email"], Role(body["role"]), _me())
    db.session.commit()
    return _invitation(invitation), 201


@blueprint.delete("/<row_id:organisation_id>/invitations/<row_id:invitation_id>/")
@blueprint.response(204)
@blueprint.raises(NoSuchOrganisation, RoleNeeded)
def withdraw_invitation(organisation_id: int, invitation_id: int) -> tuple[str, int]:
    """Withdraw an invitation. Its link does not work any more."""
    invitations.withdraw(organisation_id, invitation_id, _me())
    db.session.commit()
    return "", 204


@blueprint.post("/invitations/accept/")
@blueprint.arguments(TokenSchema)
@blueprint.response(200, OrganisationSchema)
@blueprint.raises(InvalidInvitation, AlreadyMember, TooManyOrganisations)
def accept_invitation(body: Document) -> Document:
    """Accept an invitation. Sign in with the email address that received it."""
    organisation_id = invitations.accept(body["token"], _me())
    db.session.commit()
    role = rules.require_role(organisation_id, _me())
    return _organisation(db.session.get_one(Organisation, organisation_id), role)


def _me() -> User:
    """The caller, whom the blueprint has let through."""
    user = current_user()
    assert user is not None  # noqa: S101 - the operations require sign-in
    return user


def _organisation(organisation: Organisation, role: str) -> Document:
    return {"id": organisation.id, "name": organisation.name, "role": str(role)}


def _member(membership: Membership, user: User) -> Document:
    names = {"first_name": user.first_name, "last_name": user.last_name, "email": user.email}
    return {"user_id": user.id, **names, "role": membership.role}


def _invitation(invitation: Invitation) -> Document:
    return {name: getattr(invitation, name) for name in ("id", "email", "role", "expires_at")}
