"""Which sessions a sign-out request names. `userapi.auth.sessions` ends them, also everywhere."""

import uuid
from functools import partial

from flask import g

from userapi.core.problems import NotForApiKeys, NotSignedIn

from . import api_key_format, cookies, credentials, tokens
from .authentication import TOKEN_ERRORS, require_caller
from .caller import Caller
from .claims import Claims, RefreshClaims
from .problems import CsrfFailed, InvalidToken

#: The id of a session, and of its user.
SessionKey = tuple[uuid.UUID, int]


def sessions_to_end(token_in_body: str | None) -> list[SessionKey]:
    """The sessions of the refresh token in the body, the bearer token and the cookies, each once.

    The first of these tokens must be valid. The others count if they are.

    Raises:
        NotSignedIn, TokenExpired, TokenRevoked, InvalidToken, CsrfFailed: no valid token came.
    """
    found: list[SessionKey] = []
    if cookies.get_own_session() is not None:  # the impersonation may have ended, and its cookies with it
        cookies.delete_token_cookies_if_unauthorized()
    for session_of in (partial(_session_of_body, token_in_body), _session_of_bearer, _session_of_cookies):
        try:
            session = session_of()
        except TOKEN_ERRORS:
            if not found:
                raise
        else:
            found += [session] if session is not None and session not in found else []
    if not found:
        raise NotSignedIn
    return found


def _session_of_body(token: str | None) -> SessionKey | None:
    if token is None:
        return None
    claims = tokens.verify(token)
    if not isinstance(claims, RefreshClaims):
        raise InvalidToken
    return _session_of_claims(claims)


def _session_of_bearer() -> SessionKey | None:
    """The session of the bearer token: a refresh token, or an access token whose session is active."""
    token = credentials.normalize_bearer_token()
    if token is None:
        return None
    if api_key_format.looks_like_key(token):
        raise NotForApiKeys
    claims = tokens.verify(token)
    if isinstance(claims, RefreshClaims):
        return _session_of_claims(claims)
    return find_session_to_end(require_caller("headers"))


def _session_of_cookies() -> SessionKey | None:
    """The session of the access cookie or, once that has expired, of the refresh cookie."""
    if not cookies.has_token_cookies():
        return None
    try:
        return find_session_to_end(require_caller("cookies"))
    except CsrfFailed:
        raise
    except TOKEN_ERRORS:
        return _session_of_claims(credentials.refresh_cookie_claims())


def _session_of_claims(claims: Claims) -> SessionKey:
    g.actor_id = claims.user_id
    return claims.session_id, claims.user_id


def find_session_to_end(caller: Caller) -> SessionKey:
    """The session that ends when a caller signs out.

    Of staff who act as a user it is their own; the impersonation has ended then.
    """
    if caller.impersonation is not None:
        from . import impersonation  # nothing of it is imported before it is used

        impersonation.end_of_caller(caller)
        return caller.impersonation.own_session_id, caller.impersonation.impersonator_id
    return caller.session_id, caller.user.id
