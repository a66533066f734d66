"""The statements about what users see of their second factors, outside any transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import read_all, read_one
from userapi.users.models import User

from .device_queries import NOT_FORGOTTEN, remembered_devices
from .queries import HAS_APP, HAS_PASSKEY, HAS_RECOVERY_CODES, recovery_codes, second_factors, totp_devices


def _count(table: Any, *conditions: Any) -> sa.ScalarSelect[Any]:
    own = table.c.user_id == second_factors.c.user_id
    return sa.select(sa.func.count()).select_from(table).where(own, *conditions).scalar_subquery()


OVERVIEW = (
    sa.select(
        second_factors.c.active_since,
        second_factors.c.failures,
        second_factors.c.last_failed_at,
        second_factors.c.codes_made_at,
        second_factors.c.handle,
        _count(recovery_codes, recovery_codes.c.used_at.is_(None)).label("codes_left"),
        _count(remembered_devices, *NOT_FORGOTTEN).label("devices"),
    )
    .join(User, User.id == second_factors.c.user_id)
    .where(second_factors.c.user_id == sa.bindparam("user_id"))
)


def read_overview(user_id: int, now: datetime) -> sa.Row[Any] | None:
    """What the factors of an account share, and the numbers of recovery codes and remembered devices; None without."""
    return read_one(OVERVIEW, {"user_id": user_id, "now": now})


def list_apps(user_id: int) -> Sequence[sa.Row[Any]]:
    """The confirmed authenticator apps of a user, oldest first."""
    columns = (totp_devices.c[name] for name in ("id", "name", "created_at", "last_used_at"))
    return read_all(
        sa.select(*columns)
        .where(totp_devices.c.user_id == user_id, totp_devices.c.confirmed_at.is_not(None))
        .order_by(totp_devices.c.created_at, totp_devices.c.id)
    )


def list_kinds(user_ids: Sequence[int]) -> dict[int, sa.Row[Any]]:
    """What users have for the second step (`has_app`, `has_passkey`, `has_recovery_codes`), by id, if it is on."""
    statement = sa.select(
        second_factors.c.user_id,
        HAS_APP.label("has_app"),
        HAS_PASSKEY.label("has_passkey"),
        HAS_RECOVERY_CODES.label("has_recovery_codes"),
    )
    of_users = statement.where(second_factors.c.user_id.in_(user_ids), second_factors.c.active_since.is_not(None))
    return {row.user_id: row for row in read_all(of_users)}


def find_app_to_confirm(app_id: Any, user_id: int, session_id: Any, created_after: datetime) -> sa.Row[Any] | None:
    """An app that a session has added and that can still be confirmed."""
    return read_one(
        sa.select(totp_devices.c.id, totp_devices.c.name).where(
            totp_devices.c.id == app_id,
            totp_devices.c.user_id == user_id,
            totp_devices.c.set_up_in == session_id,
            totp_devices.c.confirmed_at.is_(None),
            totp_devices.c.created_at > created_after,
        )
    )
