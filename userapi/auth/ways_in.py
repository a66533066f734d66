"""The ways to sign in to an account, of which it keeps at least one."""

from collections.abc import Callable
from typing import Any

from flask import current_app

from userapi.federation import identities
from userapi.mfa import passkey_options, passkey_queries
from userapi.users.models import User

from . import mailed_code_requests
from .problems import LastWayIn


def require_way_in(user: User) -> None:
    """Check that something still signs in to a locked account, after one way was removed in the same transaction.

    Raises:
        LastWayIn: nothing does; the caller must roll back.
    """
    has_password = user.password_hash is not None
    if not is_way_left(user, has_password=has_password, identities_left=lambda: identities.count(user.id)):
        raise LastWayIn


def is_way_left(user: Any, *, has_password: bool, identities_left: Callable[[], int]) -> bool:
    """Whether something signs in to an account, as the current transaction sees it.

    Args:
        user: a row with id, is_active, is_staff and is_superuser.
        has_password: whether it has a password.
        identities_left: the number of identities at providers; it is called only if nothing else is left.
    """
    rp_id = current_app.config["PASSKEY_RP_ID"] if passkey_options.can_sign_in() else None
    return bool(
        has_password
        or mailed_code_requests.may_use_codes(user)
        or (rp_id and passkey_queries.count_sign_in_passkeys(user.id, rp_id))
        or identities_left()
    )
