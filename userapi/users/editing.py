"""What the routes that edit a user share: the hold on the row, and the save."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, current_app
from flask_jwt_extended import current_user

from userapi.core.db import db

from . import accounts, documents, groups
from .models import User


def holds_user(view: Callable[..., Response]) -> Callable[..., Response]:
    """Lock the user in the path, or the caller, before the body is looked at: 403, 404 and 412 come before 400."""

    @wraps(view)
    def wrapper(*args: Any, user_id: int | None = None) -> Response:
        user = accounts.hold(current_user.id if user_id is None else user_id, by=current_user)
        groups.require_authority(user, by=current_user)
        documents.check_precondition(user)
        return view(user, *args)

    return wrapper


def save(user: User, changes: dict[str, Any]) -> Response:
    """Apply what the caller may change, commit, and answer with the user."""
    changes = documents.without_echoes(user, changes, by=current_user)
    by_staff = current_user.is_staff and user.id != current_user.id
    confirmed = by_staff or current_app.config["EMAIL_VERIFICATION"] == "none"
    accounts.edit(user, changes, by=current_user, confirmed_email=confirmed)
    changed = documents.of_user(user)
    db.session.commit()
    return documents.answer(changed)
