"""Why a request or a webhook is rejected."""

import json
from collections.abc import Iterable
from typing import Any, ClassVar

#: The media type of a problem document (RFC 9457).
MEDIA_TYPE = "application/problem+json"


class Rejected(Exception):
    """A request that may not go on.

    Attributes:
        status: the HTTP status code of the response.
        code: what is wrong, for programs; the account service uses the same codes.
        title: what is wrong, the same every time.
        detail: what to do next.
    """

    status: ClassVar[int] = 401
    code: ClassVar[str] = "token_invalid"
    title: ClassVar[str] = "Invalid token"
    detail: ClassVar[str] = "This token is not valid. Sign in again to get a new one."

    def __init__(self, reason: str = "") -> None:
        """Keep the reason, which is for logs and never sent."""
        super().__init__(reason or self.title)

    @property
    def challenge(self) -> str | None:
        """The header WWW-Authenticate of the response (RFC 6750, section 3); None if it has none."""
        return f'Bearer realm="userapi", error="invalid_token", error_description="{self.title}"'

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response, without its Content-Type."""
        return {} if self.challenge is None else {"WWW-Authenticate": self.challenge}

    @property
    def document(self) -> dict[str, Any]:
        """The body of the response: a problem document (RFC 9457)."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }

    @property
    def body(self) -> bytes:
        """The same as JSON."""
        return json.dumps(self.document).encode()


class InvalidToken(Rejected):
    """The account service did not issue the token, or issued it for another use."""


class TokenExpired(InvalidToken):
    """The token has expired."""

    code = "token_expired"
    title = "Token expired"
    detail = "This token has expired. Refresh it, or sign in again."


class TokenRevoked(InvalidToken):
    """The session of the token has ended."""

    code = "token_revoked"
    title = "Token revoked"
    detail = "The session of this token has ended. Sign in again."


class NotSignedIn(Rejected):
    """The request has no token."""

    code = "not_authenticated"
    title = "Not signed in"
    detail = "Send an access token: Authorization: Bearer <token>."

    @property
    def challenge(self) -> str:
        """A challenge without an error, since nothing was sent (RFC 6750, section 3.1)."""
        return 'Bearer realm="userapi"'


class InsufficientScope(Rejected):
    """The token does not have the scopes that are required.

    Attributes:
        scopes: those that are required.
    """

    status = 403
    code = "insufficient_scope"
    title = "Insufficient scope"
    detail = "This token does not have the scope that this requires."

    def __init__(self, scopes: Iterable[str]) -> None:
        self.scopes = sorted(scopes)
        super().__init__(f"requires {' '.join(self.scopes)}")

    @property
    def challenge(self) -> str:
        """A challenge that names the scopes."""
        return f'Bearer realm="userapi", error="insufficient_scope", scope="{" ".join(self.scopes)}"'


class InsufficientProof(Rejected):
    """The identity was proved too weakly or too long ago (RFC 9470).

    Attributes:
        level: the level that is required.
        max_age: how many seconds old the proof may be; None if any age will do.
    """

    code = "insufficient_user_authentication"
    title = "Stronger or newer sign-in required"
    detail = "This requires a stronger or more recent proof of your identity. Prove it, then repeat the request."

    def __init__(self, level: str, max_age: int | None) -> None:
        self.level, self.max_age = level, max_age
        super().__init__(f"requires {level}")

    @property
    def challenge(self) -> str:
        """A challenge that says what is required."""
        age = "" if self.max_age is None else f", max_age={self.max_age}"
        return f'Bearer realm="userapi", error="insufficient_user_authentication", acr_values="{self.level}"{age}'


class KeysUnavailable(Rejected):
    """No public key is known, because the account service does not respond. The token may be valid."""

    status = 503
    code = "unavailable"
    title = "Service unavailable"
    detail = "The service is temporarily unavailable. Try again in a moment."

    @property
    def challenge(self) -> None:
        """None: the client did nothing wrong."""
        return

    @property
    def headers(self) -> dict[str, str]:
        """When to try again."""
        return {"Retry-After": "5"}


class InvalidWebhook(Exception):
    """A webhook that the account service did not send, or that is too old, malformed or incomplete."""
