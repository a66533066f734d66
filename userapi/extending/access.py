"""Who may open the views of plain Flask blueprints, and who the caller is."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from typing import Any, TypeVar

from flask import request

from userapi.auth import authentication
from userapi.auth.caller import find_caller, get_caller
from userapi.core import context
from userapi.html import csrf, saved_forms
from userapi.html.flash import take_messages
from userapi.http.errors import DATABASE_ERRORS, wants_error_page
from userapi.http.openapi import Access
from userapi.users import permissions

from .users import User, to_user

View = TypeVar("View", bound=Callable[..., Any])

#: The attribute of views that check who calls them.
GUARDED = "is_guarded_by_userapi"

#: The attribute of views that have a mark around them: if such a view is registered itself, the mark has no effect.
MARKED_OUTSIDE = "is_inside_a_mark_of_userapi"


def signed_in(view: View) -> View:
    """Require sign-in to a view of a plain Flask blueprint. Put it below `@blueprint.route`."""
    return _guard(view, Access.SIGNED_IN)


def staff(view: View) -> View:
    """Require a member of staff, whatever their permissions."""
    return _guard(view, Access.STAFF)


def requires(permission: str) -> Callable[[View], View]:
    """Require a member of staff with a permission, such as `change_basket`."""
    return lambda view: _guard(view, Access.STAFF, permission)


def _guard(view: View, access: Access, permission: str = "") -> View:
    @wraps(view)
    def guarded(*args: Any, **arguments: Any) -> Any:
        try:
            authentication.require_access(access, permission, request.view_args or {})
        except authentication.SIGN_IN_REQUIRED:
            if wants_error_page():
                return saved_forms.redirect_to_sign_in()
            raise
        return view(*args, **arguments)

    setattr(guarded, GUARDED, True)
    guarded.permission = permission  # type: ignore[attr-defined]
    setattr(view, MARKED_OUTSIDE, True)
    return guarded  # type: ignore[return-value]


def current_user() -> User | None:
    """The user whose request this is; None for anonymous visitors, and for a session that has ended."""
    found = context.current_user()
    if found is None:
        location = "headers" if "Authorization" in request.headers else "cookies"
        try:
            found = authentication.require_caller(location).user
        except authentication.TOKEN_ERRORS:
            return None
    return to_user(found)


def may(permission: str) -> bool:
    """Whether the caller of this request is staff and has a permission; false for anonymous visitors."""
    if current_user() is None:
        return False
    actor = context.current_actor()
    return bool(actor.is_staff and permissions.has_permission(actor, permission))


def page_context() -> dict[str, Any]:
    """What the templates of plain blueprints get in addition, as the frames of the pages need it."""
    with suppress(*DATABASE_ERRORS):  # the page may be the one that reports this
        current_user()
    caller = find_caller()
    return {
        "me": caller.user if caller else None,
        "csrf_token": csrf_token if caller else None,
        "form_id": partial(saved_forms.form_id, caller.user.id if caller else None),
        "messages": take_messages(),
    }


def csrf_token() -> str:
    """The value of the field `csrf_token` in the forms of this page, for a signed-in user.

    Raises:
        NotSignedIn: no user is signed in.
    """
    return csrf.session_token(get_caller().session_id)
