"""The statements about which secrets need which data key."""

import uuid
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from userapi.core.db import db
from userapi.security import data_keys

from .models import RecoveryCode, TotpDevice


def read_apps_after(app_id: uuid.UUID | None, most: int) -> Sequence[TotpDevice]:
    """The apps of all users in the order of their ids, at most `most` of them, beginning after one."""
    statement = sa.select(TotpDevice).order_by(TotpDevice.id).limit(most).execution_options(populate_existing=True)
    return db.session.scalars(statement if app_id is None else statement.where(TotpDevice.id > app_id)).all()


def count_under_key(sealed_prefix: str, digest_prefix: str) -> tuple[int, int]:
    """The numbers of apps and of unused recovery codes that need a data key.

    Args:
        sealed_prefix: how secrets that the key has sealed begin.
        digest_prefix: how digests of recovery codes under the key begin.
    """
    return (
        _count_where(TotpDevice, TotpDevice.secret.startswith(sealed_prefix, autoescape=True)),
        _count_where(
            RecoveryCode, RecoveryCode.used_at.is_(None), RecoveryCode.digest.startswith(digest_prefix, autoescape=True)
        ),
    )


def _count_where(model: Any, *conditions: Any) -> int:
    return db.session.scalar(sa.select(sa.func.count()).select_from(model).where(*conditions)) or 0


def list_needed_kids() -> list[str]:
    """The ids of the data keys that secrets and unused recovery codes need."""
    sealed_under = sa.func.substr(TotpDevice.secret, len(data_keys.sealed_prefix("")), data_keys.KID_LENGTH)
    statement = sa.union(
        sa.select(sealed_under),
        sa.select(sa.func.substr(RecoveryCode.digest, 1, data_keys.KID_LENGTH)).where(RecoveryCode.used_at.is_(None)),
    )
    return sorted(db.session.scalars(statement))
