"""Who may pass: every request is checked here before its route runs, by what the route's decorators say."""

import hmac
import re
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

import jwt
from flask import Flask, current_app, g, request
from flask_babel import gettext as _
from flask_jwt_extended import current_user, get_current_user, get_jwt, get_jwt_request_location, verify_jwt_in_request
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException
from jwt.exceptions import PyJWTError

from userapi.core import context
from userapi.core.db import db
from userapi.core.problems import NotSignedIn, PermissionDenied, Problem
from userapi.http.bodies import FORM_TYPES
from userapi.http.cross_origin import fetch_site
from userapi.http.openapi import Access
from userapi.users import permissions

from . import cookies, sessions, tokens
from .problems import CsrfFailed, InvalidToken, TokenRevoked
from .tokens import MAXIMUM_LENGTH

#: The id of a session, and of its user.
SessionKey = tuple[uuid.UUID, int]

#: For requests that are about no user, or about any.
NO_USER = 0

#: What is raised for a token that is not good.
TOKEN_ERRORS = (JWTExtendedException, PyJWTError, Problem)

#: RFC 6750, section 2.1; the scheme's name in any case (RFC 9110, section 11.1).
BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)


def configure(app: Flask) -> None:
    """Set the gate up before every route."""
    app.before_request(check)


def check() -> None:
    """Let the request pass, or refuse it.

    Raises:
        NotSignedIn, InvalidToken, TokenExpired, TokenRevoked, CsrfFailed: 401 (403), whatever the path names.
        PermissionDenied: the caller is known and may not.
    """
    request = context.current_request()
    view = current_app.view_functions.get(request.endpoint or "")
    access: Access | None = getattr(view, "access", None)
    if access in (None, Access.UNCHECKED) or request.method == "OPTIONS":
        return
    if access is Access.OPEN:
        _look_at_caller()
        return
    permission: str = getattr(view, "permission", "")
    arguments = request.view_args or {}
    if permission:
        context.current_g().owner_id = arguments.get("user_id") if access is Access.OWNER_OR_STAFF else NO_USER
    require_caller()
    if not allows(access, permission, g.caller, arguments):
        if g.caller.is_staff:
            permissions.require(g.caller, permission)
        raise PermissionDenied


def allows(access: Access | None, permission: str, caller: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether an operation is open to a caller, or to a stranger (None).

    Args:
        access: what its decorators say; nothing is open that says nothing.
        permission: what they say that staff need.
        caller: who asks.
        arguments: what its address fills in.
    """
    if access in (Access.OPEN, Access.UNCHECKED):
        return True
    if access is None or caller is None:
        return False
    owns = access is Access.OWNER_OR_STAFF and arguments.get("user_id") == caller.id
    return bool(access is Access.SIGNED_IN or owns or (caller.is_staff and permissions.may(caller, permission)))


def caller() -> Any:
    """Whoever was found behind this request, or None."""
    return g.get("caller")


def _look_at_caller() -> None:
    """Note who calls; a bad bearer token is refused; a stale cookie, which no script can drop, is not."""
    if "Authorization" in request.headers:
        require_caller("headers")
    elif not has_good_cookie():
        verify_jwt_in_request(optional=True, locations="headers")


def has_good_cookie() -> bool:
    """Whether a cookie names an active session; then its caller is loaded."""
    try:
        require_caller("cookies")
    except TOKEN_ERRORS:
        return False
    return True


def cookie_caller() -> Any:
    """Who the session cookie says is signed in, whether or not the form carries our proof; None when nobody is."""
    cookie = context.current_request().cookies.get(current_app.config["JWT_ACCESS_COOKIE_NAME"])
    if cookie is None:
        return None
    try:
        claims = tokens.read(cookie, "access", (current_app.config["JWT_WEB_AUDIENCE"],))
    except Problem:
        return None
    return tokens.load_caller({}, claims)


def require_caller(*locations: str) -> None:
    """Load the caller behind the access token of this request.

    Args:
        locations: `headers`, `cookies`; either when none is named.

    Raises:
        NotSignedIn, InvalidToken, TokenExpired, TokenRevoked, CsrfFailed: there is none.
    """
    token = bearer_token() if locations != ("cookies",) else None
    if token is not None and _recall(token):
        return
    try:
        verified = verify_jwt_in_request(locations=["headers"] if token else list(locations) or None)
    except CSRFError as error:
        raise CsrfFailed from error
    _accept()
    if token is not None and verified is not None:
        header, claims = verified
        tokens.remembered().add(token, header["kid"], claims)


def _recall(token: str) -> bool:
    """Leave behind what Flask-JWT-Extended would, for a token that it verified before.

    Raises:
        TokenRevoked: the session or the account is over by now.
    """
    claims = tokens.remembered().find(token, "access", (current_app.config["JWT_AUDIENCE"],))
    if claims is None:
        return False
    caller = tokens.load_caller({}, claims)
    if caller is None:
        raise TokenRevoked
    g = context.current_g()
    g._jwt_extended_jwt = claims
    g._jwt_extended_jwt_header = {}
    g._jwt_extended_jwt_user = {"loaded_user": caller}
    g._jwt_extended_jwt_location = "headers"
    _note(caller)
    return True


def bearer_token() -> str | None:
    """The bearer token of this request, its header brought to the one spelling that Flask-JWT-Extended reads.

    Raises:
        InvalidToken: the header names the scheme without one proper token.
    """
    environ = context.current_request().environ
    header = environ.get("HTTP_AUTHORIZATION", "")
    if header[:6].lower() != "bearer":
        environ.pop("HTTP_AUTHORIZATION", None)
        return None
    found = BEARER.fullmatch(header)
    if found is None or len(found[1]) > MAXIMUM_LENGTH:
        raise InvalidToken
    environ["HTTP_AUTHORIZATION"] = f"Bearer {found[1]}"
    return found[1]


def _accept() -> None:
    """Hold the token's audience to the way it came, and note the caller."""
    claims = get_jwt()
    if not claims:
        return
    by_cookie = get_jwt_request_location() == "cookies"
    if claims["aud"] != current_app.config["JWT_WEB_AUDIENCE" if by_cookie else "JWT_AUDIENCE"]:
        raise InvalidToken
    _note(get_current_user())


def _note(caller: Any) -> None:
    """Write down who calls: for the trail and the log, and in the session when that was a while ago."""
    g = context.current_g()
    g.caller = caller
    g.actor_id = caller.id
    if sessions.touch(caller.session_id, caller.last_used_at):
        db.session.commit()


def refuse_form_of_another_site() -> None:
    """Keep another site's form from signing its reader in here as somebody else (login CSRF).

    A script of another site cannot send JSON unasked; a form, which can be sent, tells where it stood.

    Raises:
        CsrfFailed: it stood elsewhere.
    """
    if request.mimetype in FORM_TYPES and fetch_site() not in (None, "same-origin", "none"):
        raise CsrfFailed


def refresh_claims(token_in_body: str | None) -> tuple[dict[str, Any], bool]:
    """The claims of the refresh token of this request, wherever it is, and whether it came as a cookie.

    Args:
        token_in_body: the body's `refresh_token`; then the bearer token, then the cookie is looked at.

    Raises:
        NotSignedIn, TokenExpired, InvalidToken, CsrfFailed: there is none that is good.
    """
    token = token_in_body or bearer_token()
    if token is not None:
        return tokens.read(token, "refresh", (current_app.config["JWT_AUDIENCE"],)), False
    if not cookies.are_present():
        raise NotSignedIn(_("Send the refresh token as refresh_token in the body, as a bearer token or as a cookie."))
    return _claims_of_refresh_cookie(), True


def _claims_of_refresh_cookie() -> dict[str, Any]:
    cookies.drop_if_refused()
    cookie = request.cookies.get(current_app.config["JWT_REFRESH_COOKIE_NAME"], "")
    claims = tokens.read(cookie, "refresh", (current_app.config["JWT_WEB_AUDIENCE"],))
    sent = request.headers.get("X-CSRF-TOKEN") or request.form.get("csrf_token", "")
    if not hmac.compare_digest(str(claims.get("csrf", "")).encode(), sent.encode()):
        raise CsrfFailed
    return claims


def ending_sessions(token_in_body: str | None) -> list[SessionKey]:
    """The sessions that a logout ends: of the refresh token in the body, the bearer token and the cookies, each once.

    The first of them that came must be good. Of the others those that are good count.

    Raises:
        NotSignedIn, TokenExpired, TokenRevoked, InvalidToken, CsrfFailed: no good token came.
    """
    found: list[SessionKey] = []
    for session_of in (partial(_session_of_refresh_token, token_in_body), _session_of_bearer, _session_of_cookies):
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


def _session_of_refresh_token(token: str | None) -> SessionKey | None:
    if token is None:
        return None
    return _session_of_claims(tokens.read(token, "refresh", (current_app.config["JWT_AUDIENCE"],)))


def _session_of_bearer() -> SessionKey | None:
    token = bearer_token()
    if not _is_access_token(token):
        return _session_of_refresh_token(token)
    require_caller("headers")
    return current_user.session_id, current_user.id


def _session_of_cookies() -> SessionKey | None:
    """The session of the access cookie or, once that has expired, of the refresh cookie."""
    if not cookies.are_present():
        return None
    try:
        require_caller("cookies")
    except CsrfFailed:
        raise
    except TOKEN_ERRORS:
        return _session_of_claims(_claims_of_refresh_cookie())
    return current_user.session_id, current_user.id


def _session_of_claims(claims: dict[str, Any]) -> SessionKey:
    g.actor_id = int(claims["sub"])
    return uuid.UUID(claims["sid"]), int(claims["sub"])


def _is_access_token(token: str | None) -> bool:
    """What a token says of itself; whether it is true is checked later."""
    if token is None:
        return False
    try:
        return bool(jwt.decode(token, options={"verify_signature": False}).get("type") != "refresh")
    except PyJWTError:
        return True
