"""Sending invitations, sending them again, and revoking them."""

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock, i18n
from userapi.core.context import get_acting_context
from userapi.core.problems import NotForApiKeys, ValidationFailed
from userapi.mail import emails, invitation_emails
from userapi.mail.emails import Recipient
from userapi.security import throttling
from userapi.users import (
    account_kinds,
    email_address,
    email_links,
    group_queries,
    groups,
    permissions,
    profile_edits,
    proof_check,
    registration,
)
from userapi.users import queries as user_queries
from userapi.users.group_models import Group
from userapi.users.permissions import Actor
from userapi.users.site_urls import link, sign_in_url

from . import queries
from .models import Invitation
from .problems import InvitationEnded, InvitationNotFound


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation to send.

    Attributes:
        email: as typed.
        message: of the inviter, for the email.
        language: of the email and of the new user; None for that of the site.
        groups: the names of groups that the new user joins.
        first_name, last_name: of the new user.
        profile: fields of the profile, as JSON has them.
    """

    email: str
    message: str | None = None
    language: str | None = None
    groups: Collection[str] = ()
    first_name: str = ""
    last_name: str = ""
    profile: Mapping[str, Any] | None = None


def send(new: NewInvitation, by: Actor | None) -> Invitation:
    """Invite someone on behalf of staff or the command line. An open invitation by staff to that address is replaced.

    Nothing but the email says whether an account has the address: then it asks its owner to sign in.

    Args:
        new: what to send.
        by: the member of staff; None at the command line.

    Raises:
        PermissionDenied: the member of staff may not add users, or not add members to one of the groups.
        RegistrationClosed: no one can be invited.
        InvalidEmail, ValidationFailed, ReadOnlyField: nothing is written then.
        NotForApiKeys, ProofNeeded: groups need a signed-in user who has recently proved who it is.
        TooManyRequests: too many invitations by the user or to the address.
    """
    if by is not None:
        permissions.require_permission(by, permissions.ADD_USER)
    facts = _read_facts(new, by)
    return save_and_send(new, facts, by, by_staff=True)


def save_and_send(new: NewInvitation, facts: dict[str, Any], by: Actor | None, *, by_staff: bool) -> Invitation:
    """Store a new invitation whose inviter was checked, and send its email.

    Args:
        new: what to send.
        facts: about the new user, as in the model.
        by: who invites; None at the command line.
        by_staff: whether staff or the command line invite.

    Raises:
        RegistrationClosed, InvalidEmail, TooManyRequests: as `send` does.
    """
    registration.require_invitations()
    typed, key = email_address.checked(new.email)
    _count(key)
    token, now = secrets.token_urlsafe(32), clock.now()
    saved = queries.save(
        {
            "email": typed,
            "email_key": key,
            "digest": email_links.hash_token(token),
            "by_staff": by_staff,
            "by_operator": by is None,
            "inviter_id": None if by is None else by.id,
            "facts": facts,
            "message": new.message or None,
            "language": new.language,
            "created_at": now,
            "sent_at": now,
            "expires_at": now + _lifetime(),
        }
    )
    _send_email(saved, token)
    return saved


def resend(invitation_id: int, by_user: int | None = None) -> Invitation:
    """Send an open invitation again, with a new link that is valid as long as the first; the earlier link is void.

    Args:
        invitation_id: the invitation.
        by_user: as in `revoke`.

    Raises:
        InvitationNotFound: there is none with this id.
        InvitationEnded: it was accepted or revoked, or the user who sent it is not active.
        RegistrationClosed, TooManyRequests: as `send` does.
    """
    registration.require_invitations()
    token, now = secrets.token_urlsafe(32), clock.now()
    conditions = _get_conditions(by_user)
    renewed = queries.renew(invitation_id, email_links.hash_token(token), now, now + _lifetime(), *conditions)
    if renewed is None:
        raise _reason(invitation_id, *conditions)
    _count(renewed.email_key)
    _send_email(renewed, token)
    return renewed


def send_without_name(invitation_id: int) -> None:
    """Send an invitation by staff again whose inviter is deleted, if it can be accepted; with a new link, unlimited."""
    token, now = secrets.token_urlsafe(32), clock.now()
    digest, can_be_accepted = email_links.hash_token(token), Invitation.expires_at > now
    renewed = queries.renew(invitation_id, digest, now, now + _lifetime(), can_be_accepted)
    if renewed is not None:
        _send_email(renewed, token, inviter="")


def revoke(invitation_id: int, by_user: int | None = None) -> None:
    """Revoke an open invitation; its link stops working. One that was revoked before stays so.

    Args:
        invitation_id: the invitation.
        by_user: only one that this user has sent, who is not staff; None for staff and the command line.

    Raises:
        InvitationNotFound: there is none with this id.
        InvitationEnded: it was accepted.
    """
    conditions = _get_conditions(by_user)
    if queries.revoke(invitation_id, clock.now(), *conditions) is not None:
        audit_log.record("invitation.revoked", "invitation", invitation_id)
        return
    problem = _reason(invitation_id, *conditions)
    if isinstance(problem, InvitationEnded) and _is_revoked(invitation_id):
        return
    raise problem


def list_givable(by: Actor, group_ids: Collection[int] | None = None) -> list[Group]:
    """The groups to which an actor may add new users: the rule of `groups.set_memberships`, for staff who change users.

    Args:
        by: the actor.
        group_ids: only of these groups; None for all.
    """
    held = permissions.get_permissions(by)
    if not {permissions.ADD_USER, permissions.CHANGE_USER} <= held:
        return []
    found = group_queries.all_groups() if group_ids is None else group_queries.groups(group_ids)
    return [group for group in found if {permission.codename for permission in group.permissions} <= held]


def _read_facts(new: NewInvitation, by: Actor | None) -> dict[str, Any]:
    facts: dict[str, Any] = {name: value for name in ("first_name", "last_name") if (value := getattr(new, name))}
    if new.profile:
        profile_edits.require_given(new.profile)
        facts["profile"] = dict(new.profile)
    if new.groups:
        if get_acting_context().key_id is not None:
            raise NotForApiKeys(errors={"groups": [_("An API key cannot change this field.")]})
        proof_check.require_recent_proof()
        facts["groups"] = _find_groups(new.groups, by)
    return facts


def _find_groups(names: Collection[str], by: Actor | None) -> list[int]:
    by_name = {group.name: group for group in group_queries.all_groups()}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        message = _("There is no group with this name: %(names)s.", names=i18n.format_list(unknown))
        raise ValidationFailed(errors={"groups": [message]})
    found = [by_name[name] for name in dict.fromkeys(names)]
    if by is not None:
        permissions.require_permission(by, permissions.CHANGE_USER)
        groups.require_held((permission for group in found for permission in group.permissions), by)
    return sorted(group.id for group in found)


def _count(email_key: str) -> None:
    """Count the email for its sender and its recipient; commands are not limited."""
    actor_id = get_acting_context().actor_id
    if actor_id is not None:
        throttling.count_attempt("INVITATION", str(actor_id))
        throttling.count_attempt("EMAIL_RECIPIENT", email_key)


def _send_email(invitation: Invitation, token: str, inviter: str | None = None) -> None:
    """Send the link, or ask the owner of the address to sign in; both take as long.

    Args:
        invitation: the invitation.
        token: of the link.
        inviter: who invites; None: as `_name_inviter` names them.
    """
    account = user_queries.find_recipient(invitation.email_key)
    language = invitation.language or i18n.get_default_language()
    if account is None:
        to = Recipient(invitation.email, str(invitation.facts.get("first_name", "")), language)
        url = link("invitation", token)
    else:
        to = Recipient(account.email, account.first_name, account.language or language, account.id)
        url = sign_in_url()
    invitation_emails.send_invitation(
        to,
        has_account=account is not None,
        inviter=_name_inviter(invitation.inviter_id) if inviter is None else inviter,
        message=invitation.message or "",
        link=url,
        secret=token if account is None else "",
        expires_at=invitation.expires_at,
    )
    audit_log.record("invitation.sent", "invitation", invitation.id)


def _name_inviter(user_id: int | None) -> str:
    """The name or email address of an inviter; empty for the command line, a program, and a deleted user."""
    found = None if user_id is None else user_queries.find_name(user_id)
    if found is None or account_kinds.is_service(found):
        return ""
    return emails.plain(f"{found.first_name} {found.last_name}") or str(found.email)


def _get_conditions(by_user: int | None) -> tuple[Any, ...]:
    return () if by_user is None else (queries.is_of(by_user),)


def _reason(invitation_id: int, *conditions: Any) -> InvitationNotFound | InvitationEnded:
    return InvitationNotFound() if queries.find(invitation_id, *conditions) is None else InvitationEnded()


def _is_revoked(invitation_id: int) -> bool:
    found = queries.find(invitation_id)
    return found is not None and found.revoked_at is not None


def _lifetime() -> timedelta:
    return timedelta(seconds=current_app.config["INVITATION_LIFETIME"])
