"""Errors of the rules about users."""

from collections.abc import Iterable
from typing import ClassVar

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.problems import Problem, ValidationFailed


class AccountHeld(Problem):
    """A legal hold keeps the account from being deleted."""

    status = 409
    code = "account_held"
    title = lazy_gettext("Legal hold")
    detail = lazy_gettext("This account is under a legal hold and cannot be deleted. Release it first.")


class EmailTaken(ValidationFailed):
    """The email belongs to an account, in this or another spelling."""

    code = "email_taken"
    title = lazy_gettext("Email already in use")
    example_errors: ClassVar = {"email": ["This email address is already in use."]}
    detail = lazy_gettext("This email address is already in use. If it is yours, sign in or reset your password.")

    def __init__(self, field: str = "email") -> None:
        super().__init__(errors={field: [_("This email address is already in use.")]})


class FieldTaken(ValidationFailed):
    """Another user has the value of a profile field whose values are unique."""

    code = "field_taken"
    title = lazy_gettext("Value already in use")
    example_errors: ClassVar = {"profile": {"vat_id": ["Another user already has this value."]}}
    detail = lazy_gettext("Another user already has this value. Enter another one.")

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(
            errors={"profile": {name: [_("Another user already has this value.")] for name in sorted(names)}}
        )


class LastSuperuser(Problem):
    """No active superuser would be left."""

    status = 409
    code = "last_superuser"
    title = lazy_gettext("Last superuser")
    detail = lazy_gettext("This is the last active superuser. Make another user a superuser first.")


class NotForServiceAccounts(Problem):
    """The account is that of a program, for which this does not exist."""

    status = 409
    code = "not_for_service_accounts"
    title = lazy_gettext("Not for service accounts")
    detail = lazy_gettext(
        "This is a service account. It has no password, profile or mailbox, does not sign in, and cannot become a "
        "superuser. Programs use it with API keys."
    )


class ProfileIncomplete(Problem):
    """The caller may do this only after filling in mandatory fields of the profile.

    Args:
        names: of the fields.
    """

    status = 403
    code = "profile_incomplete"
    title = lazy_gettext("Profile incomplete")
    detail = lazy_gettext("Your profile lacks required fields. Fill them in to continue.")
    example_errors: ClassVar = {"profile": {"company": ["This field is required."]}}

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(errors={"profile": {name: [_("This field is required.")] for name in names}})


class ReadOnlyField(ValidationFailed):
    """A field was sent with another value by someone who may not set it."""


class WrongPassword(ValidationFailed):
    """The current password was not given."""

    code = "wrong_password"
    title = lazy_gettext("Wrong password")
    example_errors: ClassVar = {"old_password": ["This is not your current password."]}

    def __init__(self, field: str) -> None:
        super().__init__(errors={field: [_("This is not your current password.")]})
