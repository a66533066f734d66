"""Invitations by users who are not staff: as many as the setting INVITES_PER_USER allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import current_app

from userapi.core import clock
from userapi.users import account_kinds, email_address, registration
from userapi.users import queries as user_queries

from . import queries, sending
from .models import Invitation
from .problems import InviterUnverified, TooManyInvitations, UsersMayNotInvite
from .sending import NewInvitation

#: How many more than the setting allows are listed: it may have been greater.
MAX_SURPLUS = 1000


@dataclass(frozen=True, slots=True)
class OwnInvitations:
    """The invitations of a user, and how many more the user can send."""

    rows: Sequence[Any]
    left: int


def list_own(user_id: int) -> OwnInvitations:
    """The invitations that a user has sent, the newest first."""
    limit = current_app.config["INVITES_PER_USER"]
    rows = queries.list_newest(None, clock.now(), limit + MAX_SURPLUS, inviter_id=user_id)
    return OwnInvitations(rows, max(limit - len(rows), 0))


def send(email: str, language: str | None, by: Any) -> Invitation:
    """Invite someone on behalf of a user who is not staff. An open invitation by this user to that address is replaced.

    The email contains nothing that the user has written: it is sent in the name of the site, to anyone.

    Args:
        email: as typed.
        language: of the email.
        by: the row of the user.

    Raises:
        UsersMayNotInvite: only staff may.
        InviterUnverified: the user's own email address is not confirmed.
        TooManyInvitations: the user has sent as many as users may.
        RegistrationClosed, InvalidEmail, EmailDomainNotAllowed, TooManyRequests: as `sending.send` does.
        NotForServiceAccounts: it is a service account.
    """
    _require_may_invite(by.id)
    key = email_address.checked(email)[1]
    registration.require_allowed_domain(key)
    if not queries.has_open(key, by.id) and queries.count_of(by.id) >= current_app.config["INVITES_PER_USER"]:
        raise TooManyInvitations
    return sending.save_and_send(NewInvitation(email, language=language), {}, by, by_staff=False)


def resend(invitation_id: int, user_id: int) -> Invitation:
    """Send an open invitation of a user again, with a new link.

    Raises:
        UsersMayNotInvite, InviterUnverified, EmailDomainNotAllowed, NotForServiceAccounts: as `send` does.
        InvitationNotFound, InvitationEnded, RegistrationClosed, TooManyRequests: as `sending.resend` does.
    """
    _require_may_invite(user_id)
    renewed = sending.resend(invitation_id, by_user=user_id)
    registration.require_allowed_domain(renewed.email_key)
    return renewed


def revoke(invitation_id: int, user_id: int) -> None:
    """Revoke an open invitation of a user.

    Raises:
        UsersMayNotInvite: only staff may invite, and revoke.
        InvitationNotFound, InvitationEnded: as `sending.revoke` does.
    """
    _require_on()
    sending.revoke(invitation_id, by_user=user_id)


def _require_on() -> None:
    if current_app.config["INVITES_PER_USER"] == 0:
        raise UsersMayNotInvite


def _require_may_invite(user_id: int) -> None:
    """Lock the user, so that no two requests together exceed the limit, and check that the user may invite."""
    _require_on()
    registration.require_invitations()
    user = user_queries.lock_user(user_id)
    account_kinds.require_person(user)
    if user is None or user.email_verified_at is None:
        raise InviterUnverified
