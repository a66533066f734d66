"""What the routes that edit a user share: the hold on the row, and the save."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response
from flask_jwt_extended import get_current_user

from userapi.core.db import db, keeping_marks

from . import accounts, documents, groups
from .models import User
from .problems import WrongPassword


def holds_user(view: Callable[..., Response]) -> Callable[..., Response]:
    """Lock the user in the path, or the caller, before the body is looked at: 403, 404 and 412 come before 400."""

    @wraps(view)
    def wrapper(*args: Any, user_id: int | None = None) -> Response:
        caller = get_current_user()
        user = accounts.hold(caller.id if user_id is None else user_id, by=caller)
        groups.require_authority(user, by=caller)
        documents.check_precondition(user)
        return view(user, *args)

    return wrapper


def save(user: User, changes: dict[str, Any]) -> Response:
    """Apply what the caller may change, commit, and answer with the user."""
    caller = get_current_user()
    changes = documents.without_echoes(user, changes, by=caller)
    password = changes.pop("current_password", None)
    with keeping_marks(WrongPassword):
        accounts.edit(user, changes, by=caller, password=password)
    changed = documents.of_user(user)
    db.session.commit()
    return documents.answer(changed)
