"""Every statement about devices without a browser."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db, read_one
from userapi.core.writes import count_rows, delete_some, hits

from .models import DeviceGrant

devices: Any = DeviceGrant.__table__


def find_device(user_code: str, now: datetime) -> Any:
    """A device that waits for its user's answer; None if there is none with this code."""
    return read_one(
        sa.select(*devices.c).where(
            devices.c.user_code == user_code,
            devices.c.approved_at.is_(None),
            devices.c.denied_at.is_(None),
            devices.c.expires_at > now,
        )
    )


def answer_device(user_code: str, now: datetime, **values: Any) -> bool:
    """Store the answer of a user to a device; only one can win."""
    return hits(
        sa.update(DeviceGrant)
        .where(
            DeviceGrant.user_code == user_code,
            DeviceGrant.approved_at.is_(None),
            DeviceGrant.denied_at.is_(None),
            DeviceGrant.expires_at > now,
        )
        .values(**values)
    )


def end_approvals(user_id: int, client_id: str, now: datetime) -> None:
    """End the approvals of devices by a user that a client has not exchanged yet."""
    count_rows(
        sa.update(DeviceGrant)
        .where(
            DeviceGrant.user_id == user_id,
            DeviceGrant.client_id == client_id,
            DeviceGrant.used_at.is_(None),
            DeviceGrant.denied_at.is_(None),
        )
        .values(denied_at=now)
    )


def lock_device(device_digest: str, client_id: str) -> DeviceGrant | None:
    """A device of a client, locked until the transaction ends."""
    statement = sa.select(DeviceGrant).where(
        DeviceGrant.device_digest == device_digest, DeviceGrant.client_id == client_id
    )
    return db.session.scalar(statement.with_for_update())


def delete_expired_devices(before: datetime, limit: int) -> int:
    """Delete some devices whose codes expired before a moment; the number deleted."""
    return delete_some(DeviceGrant.device_digest, DeviceGrant.expires_at < before, limit)
