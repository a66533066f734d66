"""Accepting invitations: the account is opened, and gets what the inviter may still give."""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from userapi.audit import audit_log
from userapi.core import clock, i18n
from userapi.mail import invitation_emails
from userapi.mail import queries as mail_queries
from userapi.security import throttling
from userapi.users import (
    accounts,
    email_links,
    email_verification,
    groups,
    profile_edits,
    registration,
    terms,
)
from userapi.users.declaration import get_declaration
from userapi.users.models import User
from userapi.users.permissions import OPERATOR, Actor

from . import deletion, queries, sending
from .models import Invitation
from .problems import InvalidInvitation


def find(token: str) -> Any:
    """The row of the invitation with a token that can be accepted now; nothing is written.

    Raises:
        InvalidInvitation: it was accepted or revoked, has expired, or was replaced.
        RegistrationClosed: invitations cannot be accepted.
        TooManyRequests: the client has sent too many tokens that were not valid.
    """
    registration.require_invitations()
    with throttling.count_failures("LINK", throttling.get_client_subject()):
        return _require(queries.find_valid(email_links.hash_token(token), clock.now()))


def accept(token: str, password: str, profile: Mapping[str, Any] | None = None, **values: Any) -> User:
    """Open the account that someone was invited to. Its email, to which the token was sent, counts as confirmed.

    Args:
        token: from the link. If two requests have it, one opens the account.
        password: of the new user.
        profile: fields of the profile, in addition to those that the inviter gave; without any, there is no profile.
        values: what else `accounts.create` takes, and whether the user accepts the terms.

    Raises:
        InvalidInvitation: it was accepted or revoked, has expired, was replaced, or its sender is not active.
        RegistrationClosed: invitations cannot be accepted.
        EmailTaken, WeakPassword, ValidationFailed, ReadOnlyField, EmailDomainNotAllowed: the invitation stays valid,
            because the caller rolls back.
        TooManyRequests: the client has sent too many tokens that were not valid.
    """
    registration.require_invitations()
    digest = email_links.hash_token(token)
    with throttling.count_failures("LINK", throttling.get_client_subject()):
        inviter = queries.keep_inviter(digest)
        invitation = _require(queries.accept(digest, clock.now()))
    if not invitation.by_staff:
        registration.require_allowed_domain(invitation.email_key)
    accepted = values.pop(terms.ACCEPTED, None)
    if terms.are_in_force():
        values |= terms.accept(accepted)
    given = read_profile(invitation.facts)
    profile_edits.require_registrable(profile, given)
    user = accounts.create(
        invitation.email,
        password,
        {**given, **(profile or {})} or None,
        email_verified=True,
        **{**read_names(invitation.facts), "language": invitation.language or i18n.get_requested_language(), **values},
    )
    email_verification.require_not_reserved(user.id, user.email_key)
    queries.set_user(invitation.id, user.id)
    mail_queries.give_to_user(deletion.list_spellings(invitation), invitation_emails.KINDS, user.id)
    _join_groups(user, invitation, inviter)
    by = {"invitation": (None, invitation.id), "inviter": (None, invitation.inviter_id)}
    audit_log.record("invitation.accepted", "user", user.id, by)
    return user


def read_names(facts: Mapping[str, Any]) -> dict[str, str]:
    """The names that the inviter gave."""
    return {name: facts[name] for name in ("first_name", "last_name") if name in facts}


def read_profile(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the profile that the inviter gave, without those that are not valid any more."""
    try:
        loaded: dict[str, Any] = get_declaration().profile_edit.load(facts.get("profile", {}))
    except ValidationError as error:
        return dict(error.valid_data)  # type: ignore[arg-type]
    return loaded


def _join_groups(user: User, invitation: Invitation, inviter: User | None) -> None:
    by: Actor | None = OPERATOR if invitation.by_operator else inviter
    wanted = invitation.facts.get("groups")
    if not wanted or by is None or (inviter is not None and not inviter.is_active):
        return
    found = sending.list_givable(by, wanted)
    if found:
        groups.set_memberships(user, [group.id for group in found], [], by)


def _require(found: Any) -> Any:
    if found is None:
        raise InvalidInvitation
    return found
