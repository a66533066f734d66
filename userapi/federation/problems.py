"""The errors of sign-in with other services."""

from typing import Any

from flask_babel import lazy_gettext

from userapi.core.problems import NotFound, Problem, Unavailable


class UnknownProvider(NotFound):
    """The settings name no such provider."""

    code = "unknown_provider"
    title = lazy_gettext("Unknown provider")
    detail = lazy_gettext("You cannot sign in with this service here.")


class ProviderUnavailable(Unavailable):
    """The provider cannot be reached, is overloaded, or does not answer in time."""

    code = "provider_unavailable"
    title = lazy_gettext("Provider unavailable")
    detail = lazy_gettext("The other service does not answer at the moment. Try again later, or sign in another way.")


class _WithReason:
    """A problem whose reason only the log and the audit log say.

    Args:
        reason: the reason.
    """

    headers: dict[str, str]

    def __init__(self, reason: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.reason = reason
        self.headers.setdefault("WWW-Authenticate", 'Bearer realm="userapi"')


class ProviderDeclined(_WithReason, Problem):
    """The user cancelled or may not sign in: one error for inactive accounts, closed registration, other domains."""

    status = 401
    code = "provider_declined"
    title = lazy_gettext("Sign-in was cancelled")
    detail = lazy_gettext("The sign-in with the other service was cancelled, or is not open to you. Try another way.")


class ProviderAnswerInvalid(_WithReason, Problem):
    """The answer of the provider fails a check: one error for all checks; the log says which."""

    status = 401
    code = "provider_answer_invalid"
    title = lazy_gettext("Answer of the provider not accepted")
    detail = lazy_gettext("The answer of the other service was not accepted. Start the sign-in again.")


class VisitExpired(Problem):
    """The visit or ticket is unknown, used, expired, another browser's or another user's: one error for all."""

    code = "visit_expired"
    title = lazy_gettext("Sign-in expired")
    detail = lazy_gettext("This sign-in has expired, or was started in another browser. Start it again.")


class IdentityTaken(Problem):
    """The identity signs in to another account."""

    status = 409
    code = "identity_taken"
    title = lazy_gettext("Already linked")
    detail = lazy_gettext("This account of the other service is already linked to another account here.")
