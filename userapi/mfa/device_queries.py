"""The statements about remembered devices."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import UTCDateTime, read_all
from userapi.core.writes import count_rows, delete_some, hits
from userapi.users.models import User

from .models import RememberedDevice

remembered_devices = RememberedDevice.__table__

#: The condition under which a device is remembered; its parameter is the current time (`now`).
NOT_FORGOTTEN = (
    remembered_devices.c.session_version == User.session_version,
    remembered_devices.c.expires_at > sa.bindparam("now", type_=UTCDateTime),
)


def recognize_device(digest: str, user_id: int, session_version: int, now: datetime) -> bool:
    """Whether a device is remembered; stores that it was used."""
    return hits(
        sa.update(RememberedDevice)
        .where(
            RememberedDevice.digest == digest,
            RememberedDevice.user_id == user_id,
            RememberedDevice.session_version == session_version,
            RememberedDevice.expires_at > now,
        )
        .values(last_used_at=now)
    )


def read_devices(user_id: int, now: datetime) -> Sequence[sa.Row[Any]]:
    """The remembered devices of a user, the last used first."""
    columns = ("id", "address", "user_agent", "created_at", "last_used_at", "expires_at")
    return read_all(
        sa.select(*(remembered_devices.c[name] for name in columns))
        .join(User, User.id == remembered_devices.c.user_id)
        .where(remembered_devices.c.user_id == user_id, *NOT_FORGOTTEN)
        .order_by(remembered_devices.c.last_used_at.desc(), remembered_devices.c.id),
        {"now": now},
    )


def delete_device(device_id: uuid.UUID, user_id: int) -> bool:
    """Forget a device of a user; False if there is none."""
    return hits(
        sa.delete(RememberedDevice).where(RememberedDevice.id == device_id, RememberedDevice.user_id == user_id)
    )


def delete_devices(user_id: int) -> int:
    """Forget every device of a user; the number of devices."""
    return count_rows(sa.delete(RememberedDevice).where(RememberedDevice.user_id == user_id))


def delete_expired_devices(before: datetime, most: int) -> int:
    """Delete remembered devices that expired before a time, at most `most` of them; the number deleted."""
    return delete_some(RememberedDevice.digest, RememberedDevice.expires_at < before, most)
