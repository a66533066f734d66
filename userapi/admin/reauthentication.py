"""Asking for one's password again before an act that cannot be taken back or gives power away (ASVS 7.5.3)."""

from datetime import timedelta

from flask import current_app, request, session
from flask_babel import gettext as _

from userapi.auth import passwords
from userapi.auth.caller import get_caller
from userapi.core import clock
from userapi.core.db import commit_on
from userapi.core.problems import ValidationFailed

FIELD = "own_password"


def is_fresh() -> bool:
    """Whether the caller has typed the password lately."""
    caller, now = get_caller(), clock.now()
    lifetime = timedelta(seconds=current_app.config["REAUTHENTICATION_LIFETIME"])
    if now - caller.signed_in_at <= lifetime:
        return True
    session_id, proven_at = session.get("proven", ("", 0))
    return bool(session_id == str(caller.session_id) and now.timestamp() - proven_at <= lifetime.total_seconds())


def require(*, always: bool = False) -> None:
    """Hold a form to the password in it, unless one was typed lately.

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
    caller = get_caller()
    with commit_on(ValidationFailed):
        passwords.check_and_lock(caller.user.id, password, field=FIELD)
    session["proven"] = (str(caller.session_id), clock.now().timestamp())
