"""The owner's current password, checked before an act that could take the account over."""

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core.problems import ValidationFailed
from userapi.security import password_hashing, throttling

from . import proof_check
from .models import User
from .problems import WrongPassword


def require_current_password(user: User, password: str | None, field: str) -> None:
    """Check the password that a user typed for a change of their own account.

    Raises:
        ValidationFailed: naming the field; no password was sent.
        WrongPassword: naming the field; the event must be committed by the caller.
        TooManyRequests: it was wrong too often; the password was not looked at.
        ProofNeeded: the account has no password, or it is not enough for this account; a recent proof is needed.
    """
    proof_check.require_recent_proof(always=user.password_hash is None)
    if user.password_hash is None:
        return
    if not password:
        raise ValidationFailed(errors={field: [_("Enter your current password to change your email.")]})
    check_password(user.id, user.password_hash, password, field)


def check_password(user_id: int, stored: str | None, password: str, field: str) -> None:
    """Compare a password with a stored hash, and count the failures.

    Raises:
        WrongPassword: naming the field; the event must be committed by the caller.
        TooManyRequests: it was wrong too often; the password was not looked at.
    """
    with throttling.count_failures("PASSWORD_CHECK", str(user_id)):
        if not password_hashing.verify_password(password, stored):
            audit_log.record("user.password_check_failed", "user", user_id)
            raise WrongPassword(field)
