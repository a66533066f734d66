"""Errors of the rules about users."""

from typing import ClassVar

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.problems import Problem, ValidationFailed


class EmailTaken(ValidationFailed):
    """The email belongs to an account, in this or another spelling."""

    code = "email_taken"
    title = lazy_gettext("Email already in use")
    example_errors: ClassVar = {"email": ["This email address is already in use."]}
    detail = lazy_gettext("This email address is already in use. If it is yours, sign in or reset your password.")

    def __init__(self, field: str = "email") -> None:
        super().__init__(errors={field: [_("This email address is already in use.")]})


class LastSuperuser(Problem):
    """No active superuser would be left."""

    status = 409
    code = "last_superuser"
    title = lazy_gettext("Last superuser")
    detail = lazy_gettext("This is the last active superuser. Make another user a superuser first.")


class ReadOnlyField(ValidationFailed):
    """A field was sent with another value by someone who may not set it."""


class WrongPassword(ValidationFailed):
    """The current password was not given."""

    code = "wrong_password"
    title = lazy_gettext("Wrong password")
    example_errors: ClassVar = {"old_password": ["This is not your current password."]}

    def __init__(self, field: str) -> None:
        super().__init__(errors={field: [_("This is not your current password.")]})
