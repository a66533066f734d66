"""Requires the password again before an action that cannot be undone or grants permissions (ASVS 7.5.3)."""

from datetime import timedelta

from flask import Response, after_this_request, current_app, request
from flask_babel import gettext as _

from userapi.auth import passwords
from userapi.auth.caller import get_caller
from userapi.core import clock
from userapi.core.db import commit_on
from userapi.core.problems import ValidationFailed
from userapi.security import encryption

FIELD = "own_password"

#: Holds when the password was typed, and in which session.
COOKIE = "staff_reauthentication"


def is_fresh() -> bool:
    """Whether the caller has signed in or typed the password recently."""
    caller, now = get_caller(), clock.now()
    lifetime = timedelta(seconds=current_app.config["REAUTHENTICATION_LIFETIME"])
    if now - caller.signed_in_at <= lifetime:
        return True
    cookie = request.cookies.get(COOKIE, "")
    session_id, typed_at = encryption.decrypt_json("reauthentication", cookie, int(lifetime.total_seconds())) or ("", 0)
    return bool(session_id == str(caller.session_id) and now.timestamp() - typed_at <= lifetime.total_seconds())


def require(*, always: bool = False) -> None:
    """Require the password in the submitted form, unless it was typed recently.

    Args:
        always: for the caller's own account, where a stolen session must not be enough.

    Raises:
        WrongPassword, ValidationFailed: naming the field.
    """
    if is_fresh() and not always:
        return
    password = request.form.get(FIELD, "")
    if not password:
        raise ValidationFailed(errors={FIELD: [_("Enter your password to continue.")]})
    with commit_on(ValidationFailed):
        passwords.check_and_lock(get_caller().user.id, password, field=FIELD)
    after_this_request(_set_cookie)


def _set_cookie(response: Response) -> Response:
    sealed = encryption.encrypt_json("reauthentication", [str(get_caller().session_id), clock.now().timestamp()])
    secure = current_app.config["JWT_COOKIE_SECURE"]
    response.set_cookie(COOKIE, sealed, path="/admin/", httponly=True, secure=secure, samesite="Lax")
    return response
