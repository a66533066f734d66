"""Legal holds: accounts that must not be deleted."""

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core.db import db
from userapi.core.problems import ValidationFailed
from userapi.users.models import User

#: The maximum length of a reason.
MAX_REASON_LENGTH = 500


def hold(user: User, reason: str) -> None:
    """Keep a locked user from being deleted; a user under a hold gets the new reason.

    Raises:
        ValidationFailed: the reason is missing or too long.
    """
    reason = " ".join(reason.split())
    if not 0 < len(reason) <= MAX_REASON_LENGTH:
        error = _("Give a reason of at most %(maximum)s characters.", maximum=MAX_REASON_LENGTH)
        raise ValidationFailed(errors={"reason": [error]})
    before, user.held_reason = user.held_reason, reason
    audit_log.record("user.held", "user", user.id, {"held_reason": (before, reason)})
    db.session.flush()


def release(user: User) -> bool:
    """End the hold on a locked user; False if there is none. A closed account whose time has come is deleted then."""
    if user.held_reason is None:
        return False
    before, user.held_reason = user.held_reason, None
    audit_log.record("user.released", "user", user.id, {"held_reason": (before, None)})
    db.session.flush()
    return True
