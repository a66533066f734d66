"""Authorization: every request is checked before its route runs, as the decorators of the route say."""

from collections.abc import Collection, Mapping
from typing import Any

from flask import Flask, current_app, request
from flask_jwt_extended import get_current_user, get_jwt_request_location, verify_jwt_in_request
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException
from jwt.exceptions import PyJWTError

from userapi.core import context
from userapi.core.email_domains import is_service_address
from userapi.core.problems import NotForApiKeys, NotSignedIn, PermissionDenied, Problem, ReadOnlySession
from userapi.core.scopes import Scope
from userapi.http.impersonating import Impersonating
from userapi.http.openapi import Access
from userapi.users import permissions, proof_check

from . import api_key_caller, api_key_format, caller, credentials, profile_gate, proof, set_up_sessions, tokens
from .api_key_caller import KeyCaller
from .caller import Caller, Credential, get_caller, set_caller
from .problems import CsrfFailed, InvalidToken, TokenRevoked

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

#: `g.requested_user_id` of requests that concern no particular user.
NO_USER = 0

#: What is raised when there is no valid access token.
SIGN_IN_REQUIRED = (NotSignedIn, InvalidToken, JWTExtendedException, PyJWTError)

#: Every error that checking a token can raise; `Problem` covers `TokenRevoked`, `CsrfFailed` and the like.
TOKEN_ERRORS = (JWTExtendedException, PyJWTError, Problem)


def configure(app: Flask) -> None:
    """Check every request before its route, and recent proofs where rules require them."""
    app.before_request(check)
    proof_check.add_check(app, proof.require_fresh_where_needed)


def check() -> None:
    """Let the request through to its route, or reject it.

    Raises:
        NotSignedIn, InvalidToken, TokenExpired, TokenRevoked, CsrfFailed: 401 (CsrfFailed: 403), whether or not the
            resource in the path exists.
        NotForApiKeys, InsufficientScope: the operation is closed to API keys, or to this one.
        ReadOnlySession: it is closed to staff who act as the user.
        PermissionDenied: the caller may not do this.
        SecondStepRequired: the caller may, but only after a second step.
        ProfileIncomplete: the caller may, but only after filling in mandatory fields of the profile.
        ProofNeeded: the caller may, but only with a more recent or stronger proof of identity.
    """
    request = context.current_request()
    view = context.current_application().view_functions.get(request.endpoint or "")
    access: Access | None = getattr(view, "access", None)
    if access in (None, Access.UNCHECKED) or request.method == "OPTIONS":
        return
    if access is Access.OPEN:
        _find_optional_caller(getattr(view, "scopes", None))
        return
    permission: str = getattr(view, "permission", "")
    arguments = request.view_args or {}
    if permission:
        context.current_g().requested_user_id = arguments.get("user_id") if access is Access.OWNER_OR_STAFF else NO_USER
    found = _require_allowed(access, permission, arguments, view)
    if getattr(view, "fresh", False) and isinstance(found, Caller):  # a key was created after a recent proof
        proof.require_fresh(found)


def require_access(access: Access, permission: str, arguments: Mapping[str, Any]) -> None:
    """Let a request through to a view that the application itself does not check, or reject it, as `check` does.

    Args:
        access: who may call the view.
        permission: what staff need for it; without one, any member of staff may call it.
        arguments: the values of the placeholders in its path.
    """
    if access is Access.STAFF:
        context.current_g().requested_user_id = NO_USER
    _require_allowed(access, permission, arguments)


def _require_allowed(
    access: Access | None, permission: str, arguments: Mapping[str, Any], view: Any = None
) -> Caller | KeyCaller:
    found = _find_caller(None, getattr(view, "scopes", None))
    if not getattr(view, "open_to_set_up", False):
        set_up_sessions.require_full(found.is_for_set_up)
    is_own = access is Access.SIGNED_IN or arguments.get("user_id") == found.user.id
    if not (is_own and getattr(view, "open_to_incomplete", False)):
        profile_gate.require_complete(found)
    if not allows(access, permission, found.actor, arguments) and not _is_open_to_service(access, found):
        if found.user.is_staff:
            if permission:
                permissions.require_permission(found.user, permission)
            if isinstance(found, Caller) and found.is_too_weak_for_staff:
                proof.require_level(found)
        set_up_sessions.require_full(allows(access, permission, found.user, arguments))
        raise PermissionDenied
    return found


def _is_open_to_service(access: Access | None, found: Caller | KeyCaller) -> bool:
    """Whether the scopes of a key, which were checked, are sufficient where others have to be superusers.

    Service accounts are never superusers, and only superusers create their keys.
    """
    is_service = isinstance(found, KeyCaller) and is_service_address(found.user.email)
    return access is Access.SUPERUSER and is_service


def allows(access: Access | None, permission: str, user: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether an operation is open to a user, or to an anonymous visitor (None).

    Args:
        access: what its decorators say; an operation without any is closed.
        permission: the permission that staff need, as its decorators say; without one, any member of staff may.
        user: the caller's.
        arguments: the values of the placeholders in its path.
    """
    if access in (Access.OPEN, Access.UNCHECKED):
        return True
    if access is None or user is None:
        return False
    owns = access is Access.OWNER_OR_STAFF and arguments.get("user_id") == user.id
    if access is Access.SIGNED_IN or owns:
        return True
    if access is Access.SUPERUSER:
        return bool(user.is_staff and user.is_superuser)
    return bool(user.is_staff and (not permission or permissions.has_permission(user, permission)))


def _find_optional_caller(scopes: Collection[Scope] | None) -> None:
    """Find the caller, if there is one.

    An invalid bearer token is rejected. An invalid cookie is ignored, because a script cannot delete it (HttpOnly).

    Args:
        scopes: what an API key needs; None if the operation is closed to API keys.
    """
    if "Authorization" in request.headers:
        _find_caller("headers", scopes)
    else:
        sign_in_by_cookie()


def sign_in_by_cookie() -> bool:
    """Set the caller from the cookie; returns whether it names an active session.

    Raises:
        ReadOnlySession: the caller acts as a user, and may not do this.
    """
    try:
        require_caller("cookies")
    except ReadOnlySession:
        raise  # staff who act as a user do not become anonymous to write
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
    """Find the caller of this request by the access token of a session of a user.

    Args:
        location: `headers` or `cookies`; None means both.

    Raises:
        NotSignedIn, InvalidToken, TokenExpired, TokenRevoked, CsrfFailed: there is none.
        NotForApiKeys: an API key was sent, or a token that one was exchanged for.
    """
    _find_caller(location, None)
    return get_caller()


def _find_caller(location: str | None, scopes: Collection[Scope] | None) -> Caller | KeyCaller:
    """Find the caller of this request by its access token or API key.

    Args:
        location: as for `require_caller`.
        scopes: what an API key needs; None if API keys are not accepted.
    """
    token = credentials.normalize_bearer_token() if location != "cookies" else None
    found: Caller | KeyCaller | None
    if token is not None and api_key_format.looks_like_key(token):
        if scopes is None:
            raise NotForApiKeys
        found = api_key_caller.load_by_key(token, with_permissions="requested_user_id" in context.current_g())
    else:
        claims = tokens.recall_bearer(token) if token is not None else None
        location = "headers" if token is not None else location
        found = caller.load_caller(claims) if claims is not None else _verify(location)
    if found is None:
        raise TokenRevoked
    if isinstance(found, KeyCaller):
        if scopes is None:
            raise NotForApiKeys
        api_key_caller.require_scopes(found, scopes)
    set_caller(found)
    if isinstance(found, Caller) and found.impersonation is not None:
        _require_open_to_impersonation()
    return found


def _require_open_to_impersonation() -> None:
    """Let a member of staff who acts as a user do only what is marked for that; the caller of the request is set.

    Safe methods need no mark, except where a recent proof of identity is required, which only the user can give.

    Raises:
        ReadOnlySession: this is something else.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    mark = getattr(view, "open_to_impersonation", None)
    if mark is Impersonating.ENDS_IT or (request.method in SAFE_METHODS and not getattr(view, "fresh", False)):
        return
    if not current_app.config["IMPERSONATION_WRITES"]:
        raise ReadOnlySession
    if mark is not Impersonating.WRITES:
        raise ReadOnlySession(ReadOnlySession.detail_with_writes)


def _verify(location: str | None) -> Caller | KeyCaller:
    """Verify the access token with the library function that its `jwt_required()` decorator calls."""
    try:
        verified = verify_jwt_in_request(locations=location)
    except CSRFError as error:
        raise CsrfFailed from error
    if verified is None:
        raise NotSignedIn
    found: Caller | KeyCaller = get_current_user()
    is_for_web = isinstance(found, Caller) and found.credential is Credential.COOKIE
    if is_for_web != (get_jwt_request_location() == "cookies"):
        raise InvalidToken
    return found
