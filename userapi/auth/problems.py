"""The errors of sign-in, sessions and tokens."""

from typing import Any

from flask_babel import lazy_gettext

from userapi.core.i18n import to_english
from userapi.core.problems import Problem


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
