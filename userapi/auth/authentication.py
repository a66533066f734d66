"""Authorization: every request is checked before its route runs, as the decorators of the route say."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app, request
from flask_jwt_extended import get_current_user, get_jwt_request_location, verify_jwt_in_request
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException
from jwt.exceptions import PyJWTError

from userapi.core import context
from userapi.core.problems import NotSignedIn, PermissionDenied, Problem
from userapi.http.openapi import Access
from userapi.users import current_password, permissions

from . import caller, credentials, proof, set_up_sessions, tokens
from .caller import Caller, Credential, set_caller
from .problems import CsrfFailed, InvalidToken, TokenRevoked

#: `g.requested_user_id` of requests that concern no particular user.
NO_USER = 0

#: What is raised when there is no valid access token.
SIGN_IN_REQUIRED = (NotSignedIn, InvalidToken, JWTExtendedException, PyJWTError)

#: Every error that checking a token can raise; `Problem` covers `TokenRevoked`, `CsrfFailed` and the like.
TOKEN_ERRORS = (JWTExtendedException, PyJWTError, Problem)


def configure(app: Flask) -> None:
    """Check every request before its route, and changes of the caller's own email wherever they are made."""
    app.before_request(check)
    current_password.add_check(app, proof.require_fresh_for_own_email)


def check() -> None:
    """Let the request through to its route, or reject it.

    Raises:
        NotSignedIn, InvalidToken, TokenExpired, TokenRevoked, CsrfFailed: 401 (CsrfFailed: 403), whether or not the
            resource in the path exists.
        PermissionDenied: the caller may not do this.
        SecondStepRequired: the caller may, but only after a second step.
        ProofNeeded: the caller may, but only with a more recent or stronger proof of identity.
    """
    request = context.current_request()
    view = current_app.view_functions.get(request.endpoint or "")
    access: Access | None = getattr(view, "access", None)
    if access in (None, Access.UNCHECKED) or request.method == "OPTIONS":
        return
    if access is Access.OPEN:
        _find_optional_caller()
        return
    permission: str = getattr(view, "permission", "")
    arguments = request.view_args or {}
    if permission:
        context.current_g().requested_user_id = arguments.get("user_id") if access is Access.OWNER_OR_STAFF else NO_USER
    found = require_caller()
    if not getattr(view, "open_to_set_up", False):
        set_up_sessions.require_full(found.is_for_set_up)
    if not allows(access, permission, found.actor, arguments):
        if found.user.is_staff:
            permissions.require_permission(found.user, permission)
        set_up_sessions.require_full(allows(access, permission, found.user, arguments))
        raise PermissionDenied
    if getattr(view, "fresh", False):
        proof.require_fresh(found)


def allows(access: Access | None, permission: str, user: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether an operation is open to a user, or to an anonymous visitor (None).

    Args:
        access: what its decorators say; an operation without any is closed.
        permission: the permission that staff need, as its decorators say.
        user: the caller's.
        arguments: the values of the placeholders in its path.
    """
    if access in (Access.OPEN, Access.UNCHECKED):
        return True
    if access is None or user is None:
        return False
    owns = access is Access.OWNER_OR_STAFF and arguments.get("user_id") == user.id
    return bool(access is Access.SIGNED_IN or owns or (user.is_staff and permissions.has_permission(user, permission)))


def _find_optional_caller() -> None:
    """Find the caller, if there is one.

    An invalid bearer token is rejected. An invalid cookie is ignored, because a script cannot delete it (HttpOnly).
    """
    if "Authorization" in request.headers:
        require_caller("headers")
    else:
        sign_in_by_cookie()


def sign_in_by_cookie() -> bool:
    """Set the caller from the cookie; returns whether it names an active session."""
    try:
        require_caller("cookies")
    except TOKEN_ERRORS:
        return False
    return True


def is_signed_in_by_cookie() -> bool:
    """Whether a cookie names an active session, without checking the CSRF value and without setting the caller."""
    return find_user_by_cookie() is not None


def find_user_by_cookie() -> Any | None:
    """The user of the session that a cookie names, found in the same way; None if there is no active one."""
    cookie = credentials.access_cookie()
    if cookie is None:
        return None
    try:
        claims = tokens.verify_access(cookie, web=True)
    except Problem:
        return None
    found = caller.load_caller(claims)
    return found.user if found else None


def require_caller(location: str | None = None) -> Caller:
    """Find the caller of this request by its access token.

    Args:
        location: `headers` or `cookies`; None means both.

    Raises:
        NotSignedIn, InvalidToken, TokenExpired, TokenRevoked, CsrfFailed: there is none.
    """
    token = credentials.normalize_bearer_token() if location != "cookies" else None
    claims = tokens.recall_bearer(token) if token is not None else None
    found = caller.load_caller(claims) if claims is not None else _verify("headers" if token is not None else location)
    if found is None:
        raise TokenRevoked
    set_caller(found)
    return found


def _verify(location: str | None) -> Caller:
    """Verify the access token with the library function that its `jwt_required()` decorator calls."""
    try:
        verified = verify_jwt_in_request(locations=location)
    except CSRFError as error:
        raise CsrfFailed from error
    if verified is None:
        raise NotSignedIn
    found: Caller = get_current_user()
    if (found.credential is Credential.COOKIE) != (get_jwt_request_location() == "cookies"):
        raise InvalidToken
    return found
