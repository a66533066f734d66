"""What the routes that edit a user share: locking the row, and saving."""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from flask import Response

from userapi.core import context
from userapi.core.db import commit_on, db
from userapi.core.problems import NotFound

from . import account_edits, accounts, compared_writes, queries, user_json, user_values
from .compared_writes import NotWritten
from .declaration import EDITED_USER
from .models import User
from .problems import WrongPassword
from .user_values import UserValues

View = Callable[..., Response]


def with_locked_user_for(permission: str) -> Callable[[View], View]:
    """Lock the user in the path before the body is looked at: 403, 404 and 412 come before 400.

    Args:
        permission: what the caller needs.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, user_id: int) -> Response:
            user = accounts.lock(user_id, by=context.current_actor(), permission=permission)
            user_json.check_precondition(user)
            return view(user, *args)

        return wrapper

    return decorate


def with_locked_user(view: View) -> View:
    """Lock the user in the path, or the caller, for a view that edits the user, which gets the values of the user.

    Callers who edit themselves are not locked where one statement can compare and write what changes. The view is
    called again with the locked user if that has failed.
    """

    @wraps(view)
    def wrapper(*args: Any, user_id: int | None = None) -> Response:
        caller = context.current_actor()
        chosen = caller.id if user_id is None else user_id
        if _can_compare(chosen, caller):
            with suppress(NotWritten):
                return _edit(view, user_values.from_caller(caller), args)
        user = accounts.lock_values(chosen, by=caller)
        user_json.check_precondition(user)
        return _edit(view, user, args)

    return wrapper


def _can_compare(user_id: int, caller: Any) -> bool:
    is_own = user_id == caller.id and getattr(caller, "profile_user_id", None) is not None
    return is_own and "HTTP_IF_MATCH" not in context.current_request().environ and compared_writes.are_possible()


def _edit(view: View, user: UserValues, args: Any) -> Response:
    setattr(context.current_g(), EDITED_USER, user)
    return view(user, *args)


def save(user: UserValues, changes: dict[str, Any], *, is_own: bool = False) -> Response:
    """Apply what the caller may change, commit, and return the user.

    Args:
        user: as `with_locked_user` gives it.
        changes: as they were sent.
        is_own: whether to return the document that users get of themselves.

    Raises:
        NotWritten: the edit needs a locked user.
    """
    caller = context.current_actor()
    changes = user_json.drop_unchanged_readonly(user, changes, by=caller)
    password = changes.pop("current_password", None)
    if account_edits.is_plain(user, changes):
        account_edits.edit_values(user, changes, by=caller)
        changed = user_json.from_user(user, is_own=is_own)
    elif user.is_locked:
        changed = user_json.from_user(_edit_entity(user.id, changes, password), is_own=is_own)
    else:
        raise NotWritten
    if user.is_locked:
        db.session.commit()
    return user_json.answer(changed)


def _edit_entity(user_id: int, changes: dict[str, Any], password: str | None) -> User:
    """Apply an edit that needs an entity of the ORM, which is loaded although its row is locked already."""
    user = queries.lock_user(user_id)
    if user is None:
        raise NotFound
    with commit_on(WrongPassword):
        account_edits.edit(user, changes, by=context.current_actor(), password=password)
    return user
