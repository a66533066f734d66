"""Errors of the rules about invitations."""

from flask_babel import lazy_gettext

from userapi.core.problems import NotFound, PermissionDenied, Problem
from userapi.mfa.problems import EmailUnverified
from userapi.users.email_links import InvalidLink


class InvitationNotFound(NotFound):
    """There is no invitation with this id, or not of the caller."""

    detail = lazy_gettext("There is no invitation with this ID.")


class InvalidInvitation(InvalidLink):
    """The invitation was accepted or revoked, has expired, or was replaced by a newer one: one error for all."""

    code = "invalid_invitation"
    title = lazy_gettext("Invalid invitation")
    detail = lazy_gettext(
        "This invitation is no longer valid: it has expired, has been accepted or revoked, or was replaced by a newer "
        "one. Ask for a new invitation."
    )


class InvitationEnded(Problem):
    """The invitation was accepted or revoked, or is by a user who is not active: it cannot be sent again or revoked."""

    status = 409
    code = "invitation_ended"
    title = lazy_gettext("Invitation has ended")
    detail = lazy_gettext("This invitation has been accepted or revoked. Send a new one.")


class TooManyInvitations(Problem):
    """The user has sent as many invitations as users may."""

    status = 409
    code = "too_many_invitations"
    title = lazy_gettext("Too many invitations")
    detail = lazy_gettext("You have sent as many invitations as you may.")


class UsersMayNotInvite(PermissionDenied):
    """The settings let only staff invite."""

    code = "users_may_not_invite"
    title = lazy_gettext("Only staff can invite")
    detail = lazy_gettext("Only staff can send invitations on this site.")


class InviterUnverified(EmailUnverified):
    """The user's own email address is not confirmed, so the email would name an address that may be someone else's."""

    detail = lazy_gettext("Confirm your own email address before you invite others.")
