"""The errors of sign-in, sessions and tokens."""

from typing import Any, ClassVar

from flask_babel import lazy_gettext

from userapi.core.i18n import to_english
from userapi.core.problems import Problem
from userapi.mfa.problems import InvalidCode


class InvalidCredentials(Problem):
    """The same for an unknown email, a wrong password and an account that may not sign in."""

    status = 401
    code = "invalid_credentials"
    title = lazy_gettext("Invalid credentials")
    detail = lazy_gettext("Wrong email or password.")

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("WWW-Authenticate", 'Bearer realm="userapi"')


class AccountChanged(InvalidCredentials):
    """The account has changed since its owner gave a proof of identity, so nothing was begun."""


class SecondStepNeeded(Problem):
    """The first step was right, and the account needs a second one."""

    status = 401
    code = "second_step_needed"
    title = lazy_gettext("Sign-in needs a second step")
    detail = lazy_gettext(
        "Your account has a second step. Enter a code of your authenticator app or a recovery code to finish."
    )
    example_more: ClassVar = {"mfa_token": "from-the-first-step", "expires_in": 600, "ways": ["totp", "recovery_code"]}

    def __init__(self, mfa_token: str, seconds: int, ways: list[str]) -> None:
        super().__init__(
            more={"mfa_token": mfa_token, "expires_in": seconds, "ways": ways},
            headers={"WWW-Authenticate": 'Bearer realm="userapi"'},
        )
        self.mfa_token = mfa_token


class MfaTokenInvalid(Problem):
    """No sign-in waits for this second step: the token is wrong, used or expired, or the account has changed."""

    status = 401
    code = "mfa_token_invalid"
    title = lazy_gettext("Sign in again")
    detail = lazy_gettext("This sign-in has expired or was finished. Begin again with your email and password.")

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        self.headers.setdefault("WWW-Authenticate", 'Bearer realm="userapi"')


class LastWayIn(Problem):
    """Without it, nothing would sign in to the account."""

    status = 409
    code = "last_way_in"
    title = lazy_gettext("Last way to sign in")
    detail = lazy_gettext("Nothing else would sign you in to your account. Set a password first.")


class InvalidMailedCode(InvalidCode):
    """The same for a code or link from an email that is wrong, used, replaced, expired or of another request."""

    detail = lazy_gettext("This code is not valid. Enter the code from the newest email, or request another one.")


class CodesUnavailable(Problem):
    """The service sends no codes by email."""

    status = 409
    code = "codes_unavailable"
    title = lazy_gettext("Codes not available")
    detail = lazy_gettext("This site sends no codes by email. Sign in another way.")


class InvalidToken(Problem):
    """The service did not issue the token, or issued it for another use (RFC 6750, section 3.1)."""

    status = 401
    code = "token_invalid"
    title = lazy_gettext("Invalid token")
    detail = lazy_gettext("This token is not valid. Sign in again to get a new one.")

    def __init__(self, detail: str | None = None, **options: Any) -> None:
        super().__init__(detail, **options)
        challenge = f'Bearer realm="userapi", error="invalid_token", error_description="{to_english(self.title)}"'
        self.headers.setdefault("WWW-Authenticate", challenge)


class TokenExpired(InvalidToken):
    """The token has expired."""

    code = "token_expired"
    title = lazy_gettext("Token expired")
    detail = lazy_gettext("This token has expired. Refresh it at /api-token-refresh/, or sign in again.")


class RefreshEnded(TokenExpired):
    """The token is valid, but may not be exchanged for another one any more."""

    detail = lazy_gettext("This token can no longer be refreshed. Sign in again.")


class TokenRevoked(InvalidToken):
    """The session of the token has ended, or its account is not active."""

    code = "token_revoked"
    title = lazy_gettext("Token revoked")
    detail = lazy_gettext("The session of this token has ended. Sign in again.")


class TokenReused(InvalidToken):
    """A used refresh token was sent again. It may be stolen, so its session ends (RFC 9700, section 4.14.2)."""

    code = "token_reused"
    title = lazy_gettext("Token reused")
    detail = lazy_gettext("This refresh token has already been used, so its session has ended. Sign in again.")


class CsrfFailed(Problem):
    """A cookie came without the CSRF value, which only our own pages can send."""

    status = 403
    code = "csrf_failed"
    title = lazy_gettext("CSRF check failed")
    detail = lazy_gettext("Send the value of the csrf_token cookie in the X-CSRF-TOKEN header.")


class ImpersonationRunning(Problem):
    """The member of staff has begun another impersonation at the same time."""

    status = 409
    code = "impersonation_running"
    title = lazy_gettext("Already signed in as a user")
    detail = lazy_gettext("You are signed in as another user in another window. Try again.")
