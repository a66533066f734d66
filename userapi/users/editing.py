"""What the routes that edit a user share: locking the row, and saving."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response

from userapi.core import context
from userapi.core.db import commit_on, db

from . import account_edits, accounts, permissions, user_json
from .models import User
from .problems import WrongPassword

View = Callable[..., Response]


def with_locked_user_for(permission: str) -> Callable[[View], View]:
    """Lock the user in the path, or the caller, before the body is looked at: 403, 404 and 412 come before 400.

    Args:
        permission: what the caller needs for others.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, user_id: int | None = None) -> Response:
            caller = context.current_actor()
            user = accounts.lock(caller.id if user_id is None else user_id, by=caller, permission=permission)
            user_json.check_precondition(user)
            return view(user, *args)

        return wrapper

    return decorate


#: For a view that changes the user.
with_locked_user = with_locked_user_for(permissions.CHANGE_USER)


def save(user: User, changes: dict[str, Any]) -> Response:
    """Apply what the caller may change, commit, and return the user."""
    caller = context.current_actor()
    changes = user_json.drop_unchanged_readonly(user, changes, by=caller)
    password = changes.pop("current_password", None)
    with commit_on(WrongPassword):
        account_edits.edit(user, changes, by=caller, password=password)
    changed = user_json.from_user(user)
    db.session.commit()
    return user_json.answer(changed)
