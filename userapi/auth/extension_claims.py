"""The claims that extensions add to access tokens. This service never trusts them; other services may."""

import json
from typing import Any

from userapi.core import hooks
from userapi.core.hooks import Denied, HookFailed

#: The claims of the standards and of this service, which no extension may set.
RESERVED = frozenset(
    {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "type", "scope", "org", "client_id", "amr", "acr"}
    | {"auth_time", "csrf", "fresh", "email", "username", "is_staff", "is_superuser", "groups"}
    | {"profile", "profile_complete"}
)

#: The maximum size of all claims of extensions together, in bytes of JSON: tokens travel with every request.
MAX_BYTES = 1024


class InvalidClaims(HookFailed):
    """An extension returned claims that a token cannot have."""


def make_claims(user: Any) -> dict[str, Any]:
    """The claims of all extensions.

    Args:
        user: a `User`.

    Raises:
        HookFailed: an extension raised any error. No token may be issued without its claims.
        InvalidClaims: a name is reserved or used by two extensions, or the claims are too large or no JSON.
    """
    claims: dict[str, Any] = {}
    for extension, function in hooks.get_hooks().claims.items():
        try:
            own = dict(hooks.call_inside(function, user))
        except (Denied, TypeError, ValueError) as error:
            raise HookFailed(f"claims of {extension}") from error
        if wrong := [name for name in own if not isinstance(name, str) or name in RESERVED or name in claims]:
            raise InvalidClaims(f"claims of {extension}: {wrong}: reserved, used twice, or no text")
        claims |= own
    try:
        size = len(json.dumps(claims, allow_nan=False, separators=(",", ":")))
    except (TypeError, ValueError) as error:
        raise InvalidClaims("claims of extensions: not JSON") from error
    if size > MAX_BYTES:
        raise InvalidClaims(f"claims of extensions: {size} bytes, and at most {MAX_BYTES} are allowed")
    return claims
