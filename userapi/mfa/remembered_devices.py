"""Devices on which the owner signs in without the second step, until they are forgotten.

They are forgotten with the session version of the user, when a factor is removed and when a recovery code is used.
"""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import NotFound

from . import device_queries
from .models import RememberedDevice

#: The maximum length of a token that is looked up.
MAX_TOKEN_LENGTH = 100


def lifetime() -> timedelta:
    """How long a device is remembered; none are if it is 0."""
    return timedelta(days=current_app.config["REMEMBER_DEVICE_DAYS"])


def remember(user_id: int, session_version: int, address: str | None, user_agent: str | None) -> str:
    """Remember a device; its token, 43 URL-safe characters, of which only the digest is stored.

    Args:
        user_id: the account.
        session_version: that of the account.
        address: the IP address.
        user_agent: what the browser or program calls itself.
    """
    token, now = secrets.token_urlsafe(32), clock.now()
    db.session.add(
        RememberedDevice(
            digest=_digest(token),
            id=uuid.uuid4(),
            user_id=user_id,
            session_version=session_version,
            address=address,
            user_agent=user_agent[:255] if user_agent else None,
            created_at=now,
            last_used_at=now,
            expires_at=now + lifetime(),
        )
    )
    db.session.flush()
    audit_log.record("device.remembered", "user", user_id, actor_id=user_id)
    return token


def recognize(token: str, user_id: int, session_version: int) -> bool:
    """Whether a token is that of a remembered device of a user; stores that it was used."""
    if not token or len(token) > MAX_TOKEN_LENGTH or not lifetime():
        return False
    return device_queries.recognize_device(_digest(token), user_id, session_version, clock.now())


def list_devices(user_id: int) -> Sequence[sa.Row[Any]]:
    """The remembered devices of a user, the last used first."""
    return device_queries.read_devices(user_id, clock.now())


def forget(device_id: uuid.UUID, user_id: int) -> None:
    """Forget a device of a user.

    Raises:
        NotFound: there is no such device, or it is another user's.
    """
    if not device_queries.delete_device(device_id, user_id):
        raise NotFound(_("You have no remembered device with this id."))
    audit_log.record("device.forgotten", "user", user_id, {"devices": (None, 1)})


def forget_all(user_id: int) -> int:
    """Forget every device of a user; the number of devices."""
    number = device_queries.delete_devices(user_id)
    if number:
        audit_log.record("device.forgotten", "user", user_id, {"devices": (None, number)})
    return number


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
