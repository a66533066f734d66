"""The errors of second factors."""

from typing import Any, ClassVar

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.problems import Problem, ValidationFailed


class InvalidCode(Problem):
    """The code is wrong, expired, used or another user's: one error for all."""

    status = 401
    code = "invalid_code"
    title = lazy_gettext("Invalid code")
    detail = lazy_gettext("This code is not valid. Wait for the next code of the app, or use a recovery code.")

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("WWW-Authenticate", 'Bearer realm="userapi"')


class WrongSetUpCode(ValidationFailed):
    """The code does not belong to the app that is being set up."""

    code = "invalid_code"
    title = lazy_gettext("Invalid code")
    example_errors: ClassVar = {"code": ["This code is not valid. Enter the code that the app shows now."]}

    def __init__(self) -> None:
        super().__init__(errors={"code": [_("This code is not valid. Enter the code that the app shows now.")]})


class SecondStepLocked(Problem):
    """Too many codes in a row were wrong; no code is accepted any more."""

    status = 403
    code = "second_step_locked"
    title = lazy_gettext("Second step locked")
    detail = lazy_gettext(
        "Too many wrong codes were entered, so codes are no longer accepted. Reset your password to unlock them."
    )
    #: The detail after the codes that a password reset allows.
    after_reset = lazy_gettext(
        "Too many wrong codes were entered, also after a password reset. Ask support to accept codes again."
    )
    #: The detail for an account that has nothing to do the second step with.
    without_ways = lazy_gettext(
        "Your account has no second factor that works here. Ask support to reset your second step."
    )


class EmailUnverified(Problem):
    """The email address is not confirmed, so its owner could be locked out by someone else's second factor."""

    status = 409
    code = "email_unverified"
    title = lazy_gettext("Email address not confirmed")
    detail = lazy_gettext("Confirm your email address first.")


class NoFactor(Problem):
    """The account has no second factor."""

    status = 409
    code = "no_factor"
    title = lazy_gettext("No second factor")
    detail = lazy_gettext("Set up an authenticator app or a passkey first.")


class TooManyFactors(Problem):
    """The account has the maximum number of factors of a kind."""

    status = 409
    code = "too_many_factors"
    title = lazy_gettext("Too many factors")
    detail = lazy_gettext("You cannot add another one. First remove one that you no longer use.")


class FactorRequired(Problem):
    """The account must have a second factor, and use it."""

    status = 409
    code = "factor_required"
    title = lazy_gettext("Second factor required")
    detail = lazy_gettext("Your account requires a second factor. Add another one before you remove this one.")


class FactorUnavailable(Problem):
    """The service does not offer this kind of factor."""

    status = 409
    code = "factor_unavailable"
    title = lazy_gettext("Factor not available")
    detail = lazy_gettext("This kind of second factor cannot be set up here.")
