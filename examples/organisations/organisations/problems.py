"""What can be wrong."""

from flask_babel import lazy_gettext

from userapi.extending import NotFound, PermissionDenied, Problem


class NoSuchOrganisation(NotFound):
    """There is none with this id, or the caller is no member."""

    detail = lazy_gettext("There is no such organisation, or you are not a member.")


class NoSuchMember(NotFound):
    """The user is no member of the organisation."""

    detail = lazy_gettext("The organisation has no such member.")


class RoleNeeded(PermissionDenied):
    """The caller is a member whose role does not allow this."""

    code = "role_needed"
    detail = lazy_gettext("Your role in the organisation does not allow this.")


class OwnerNeeded(Problem):
    """The organisation would have members and no owner."""

    status = 409
    code = "owner_needed"
    title = lazy_gettext("Owner needed")
    detail = lazy_gettext("An organisation needs an owner. Make another member its owner first, or delete it.")


class TooManyInvitations(Problem):
    """The organisation has as many open invitations as it may have."""

    status = 409
    code = "too_many_invitations"
    title = lazy_gettext("Too many invitations")
    detail = lazy_gettext("Wait until some invitations are accepted, or withdraw some.")


class TooManyOrganisations(Problem):
    """The user is a member of as many organisations as the claim of access tokens can list."""

    status = 409
    code = "too_many_organisations"
    title = lazy_gettext("Too many organisations")
    detail = lazy_gettext("You are a member of too many organisations. Leave one first.")


class AlreadyMember(Problem):
    """The user is a member already."""

    status = 409
    code = "already_member"
    title = lazy_gettext("Already a member")
    detail = lazy_gettext("This user is a member of the organisation already.")


class InvalidInvitation(Problem):
    """The link has expired, was used, withdrawn or replaced, is for another user, or its sender lost the role."""

    code = "invalid_invitation"
    title = lazy_gettext("Invalid invitation")
    detail = lazy_gettext(
        "This invitation is not valid. It may have expired, it may be for another email address, "
        "or its sender may not invite others any more. "
        "Sign in with the email address that received it, or request another invitation."
    )
