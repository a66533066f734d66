"""Invitations by email: the link says which organisation, the sign-in says who accepts."""

import secrets
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from flask_babel import lazy_gettext

from userapi.extending import User, check_email, db, find_user_by_email, plain_name, record, send_email, site_url

from . import queries, rules
from .models import Invitation, Organisation, Role
from .problems import AlreadyMember, InvalidInvitation, RoleNeeded, TooManyInvitations

LIFETIME = timedelta(days=7)

#: An organisation with more could send emails to anyone through this service.
MAX_OPEN = 50


def invite(organisation_id: int, email: str, role: Role, by: User) -> Invitation:
    """Invite someone by email. An earlier invitation to the same email address is replaced.

    Raises:
        InvalidEmail: the email address is not valid.
        RoleNeeded: the caller is neither owner nor admin, or an admin invites an owner or admin.
        AlreadyMember: the account with this email address is a member.
        TooManyInvitations: the organisation has too many.
    """
    now, organisation = datetime.now(UTC), rules.lock(organisation_id)
    own_role = rules.require_role(organisation_id, by, Role.OWNER, Role.ADMIN)
    if own_role is Role.ADMIN and role is not Role.MEMBER:
        raise RoleNeeded
    email, key = check_email(email)
    found = find_user_by_email(email)
    if found is not None and queries.find_membership(organisation_id, found.id) is not None:
        raise AlreadyMember
    queries.delete_invitations(Invitation.organisation_id == organisation_id, Invitation.expires_at <= now)
    queries.delete_invitations(Invitation.organisation_id == organisation_id, Invitation.email_key == key)
    if len(queries.list_open_invitations(organisation_id, now)) >= MAX_OPEN:
        raise TooManyInvitations
    token = secrets.token_urlsafe(32)
    invitation = Invitation(
        organisation_id=organisation_id, email=email, email_key=key, role=role.value, digest=_digest(token),
        expires_at=now + LIFETIME, invited_by=by.id,
    )  # fmt: skip
    db.session.add(invitation)
    db.session.flush()
    record("organisations.invited", rules.KIND, organisation_id)
    send_email(
        "organisation_invitation",
        found or email,
        lazy_gettext("You have been invited to an organisation"),
        reason=lazy_gettext("You received this email because a member of an organisation entered your email address."),
        secret=token,
        not_after=invitation.expires_at,
        organisation=plain_name(organisation.name),
        link=site_url(f"/organisations/invitations/{token}/"),
        expires_at=invitation.expires_at,
    )
    return invitation


def list_open(organisation_id: int, by: User) -> list[Invitation]:
    """The open invitations, for owners and admins."""
    rules.require_role(organisation_id, by, Role.OWNER, Role.ADMIN)
    return queries.list_open_invitations(organisation_id, datetime.now(UTC))


def find(token: str, user: User) -> tuple[Invitation, Organisation]:
    """The invitation with a token, for the page that shows it; nothing is changed.

    Raises:
        InvalidInvitation: it is not valid for this user, or its sender may not give the role any more.
    """
    invitation = queries.find_invitation(_digest(token), datetime.now(UTC))
    if invitation is None or not _is_for(invitation.email, user) or not _may_still_invite(invitation):
        raise InvalidInvitation
    return invitation, db.session.get_one(Organisation, invitation.organisation_id)


def accept(token: str, user: User) -> int:
    """Become a member; returns the id of the organisation. Of two requests, one deletes the invitation.

    Raises:
        InvalidInvitation: it is not valid for this user, or its sender may not give the role any more.
        AlreadyMember, TooManyOrganisations: the user is a member, or one of too many. The invitation stays.
    """
    now = datetime.now(UTC)
    waiting = queries.find_invitation(_digest(token), now)
    if waiting is None:
        raise InvalidInvitation
    queries.lock_organisation(waiting.organisation_id)  # until then, the role of who invited may change
    find(token, user)
    rules.require_room(user)
    taken = queries.take_invitation(_digest(token), now)
    if taken is None:
        raise InvalidInvitation
    if not queries.add_membership(taken.organisation_id, user.id, taken.role, now):
        raise AlreadyMember
    record("organisations.joined", rules.KIND, taken.organisation_id, {"member": (None, user.id)})
    return int(taken.organisation_id)


def withdraw(organisation_id: int, invitation_id: int, by: User) -> None:
    """Delete an invitation."""
    rules.require_role(organisation_id, by, Role.OWNER, Role.ADMIN)
    conditions = (Invitation.organisation_id == organisation_id, Invitation.id == invitation_id)
    if queries.delete_invitations(*conditions):
        record("organisations.withdrawn", rules.KIND, organisation_id)


def _is_for(email: str, user: User) -> bool:
    """Whether an email address is that of a user, in any spelling that signs the user in."""
    found = find_user_by_email(email)
    return found is not None and found.id == user.id


def _may_still_invite(invitation: Invitation) -> bool:
    """Whether the user who invited may still give the role."""
    by = invitation.invited_by
    membership = None if by is None else queries.find_membership(invitation.organisation_id, by)
    if membership is None:
        return False
    return membership.role == Role.OWNER or (membership.role == Role.ADMIN and invitation.role == Role.MEMBER)


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
