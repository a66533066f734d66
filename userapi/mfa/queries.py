"""The statements about second factors, and the writes that only one of several requests can win."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from userapi.core.db import UTCDateTime, db, read_all
from userapi.core.prepared import CommittingWrite, Read
from userapi.core.writes import count_rows, delete_some, hits, insert
from userapi.users.models import User

from .models import RecoveryCode, RememberedDevice, SecondFactors, TotpDevice
from .passkey_models import Passkey

second_factors = SecondFactors.__table__
totp_devices = TotpDevice.__table__
recovery_codes = RecoveryCode.__table__

#: After so many wrong codes in a row, no code is accepted any more.
MAX_FAILURES = 100

#: The count after a password reset of an account that was locked by them, and the count that locks it again: ten more
#: codes, and no reset gives others (decision 0062).
FAILURES_AFTER_RESET = MAX_FAILURES + 1
FINAL_FAILURES = FAILURES_AFTER_RESET + 10

#: The number of wrong codes in a row below which a wait applies; the first ones need no wait.
FREE_FAILURES = 5
WAITS = (
    (10, timedelta(seconds=30)),
    (20, timedelta(minutes=5)),
    (50, timedelta(minutes=15)),
    (FINAL_FAILURES, timedelta(hours=1)),
)


def is_locked(failures: Any) -> Any:
    """Whether a number of wrong codes in a row locks the account; of the column, an expression."""
    return (failures == MAX_FAILURES) | (failures >= FINAL_FAILURES)


def _has(table: Any, *conditions: Any) -> sa.Exists:
    return sa.exists().where(table.c.user_id == second_factors.c.user_id, *conditions)


HAS_PASSKEY = _has(Passkey.__table__)
HAS_APP = _has(totp_devices, totp_devices.c.confirmed_at.is_not(None))
HAS_RECOVERY_CODES = _has(recovery_codes, recovery_codes.c.used_at.is_(None))
HAS_WAY = (HAS_PASSKEY, HAS_APP, HAS_RECOVERY_CODES)

#: Whether the second step of the user `users` of the enclosing statement is on.
SECOND_STEP_IS_ON = (
    sa.exists()
    .where(second_factors.c.user_id == User.__table__.c.id, second_factors.c.active_since.is_not(None))
    .correlate(User.__table__)
    .label("second_step_is_on")
)

SUMMARY = Read(
    sa.select(
        second_factors.c.active_since,
        second_factors.c.failures,
        second_factors.c.codes_made_at,
        second_factors.c.handle,
        HAS_PASSKEY.label("has_passkey"),
        HAS_APP.label("has_app"),
        HAS_RECOVERY_CODES.label("has_recovery_codes"),
    ).where(second_factors.c.user_id == sa.bindparam("user_id"))
)


def read_summary(user_id: int) -> Any:
    """Which second factors an account has, in one statement outside any transaction; None without any."""
    return SUMMARY.one(user_id=user_id)


def read_summary_in_transaction(user_id: int) -> Any:
    """The same, as the current transaction sees it."""
    return db.session.execute(SUMMARY.statement, {"user_id": user_id}).one_or_none()


# --- Counting wrong codes ----------------------------------------------------------------------------------

COUNT_GUESS = CommittingWrite(
    sa.update(SecondFactors)
    .where(
        second_factors.c.user_id == sa.bindparam("user_id"),
        sa.not_(is_locked(second_factors.c.failures)),
        sa.or_(
            second_factors.c.failures < FREE_FAILURES,
            second_factors.c.last_failed_at.is_(None),
            second_factors.c.last_failed_at
            <= sa.case(
                *(
                    (second_factors.c.failures < below, sa.bindparam(f"below_{below}", type_=UTCDateTime))
                    for below, _wait in WAITS[:-1]
                ),
                else_=sa.bindparam(f"below_{FINAL_FAILURES}", type_=UTCDateTime),
            ),
        ),
    )
    .values(failures=second_factors.c.failures + 1, last_failed_at=sa.bindparam("now", type_=UTCDateTime))
    .returning(second_factors.c.failures)
)


def count_guess(user_id: int, now: datetime) -> int | None:
    """Count a code before it is checked; it is one UPDATE that commits by itself.

    Returns:
        The number of codes in a row that were counted; None if no more codes may be checked now.
    """
    counted = COUNT_GUESS.one(user_id=user_id, now=now, **{f"below_{below}": now - wait for below, wait in WAITS})
    return None if counted is None else int(counted.failures)


def read_failures(user_id: int) -> sa.Row[Any] | None:
    """The wrong codes in a row, when the last one was, and since when the second step is on; None without a row."""
    statement = sa.select(*(second_factors.c[name] for name in ("failures", "last_failed_at", "active_since")))
    rows = read_all(statement.where(second_factors.c.user_id == user_id))
    return rows[0] if rows else None


def clear_failures(user_id: int) -> bool:
    """Set the number of wrong codes in a row to 0; False if it was, or if the account has nothing to enter.

    An account whose second factors could not be imported stays locked until they are reset.
    """
    return hits(
        sa.update(SecondFactors)
        .where(SecondFactors.user_id == user_id, SecondFactors.failures > 0, sa.or_(*HAS_WAY))
        .values(failures=0, last_failed_at=None)
    )


def allow_codes_after_reset(user_id: int) -> bool:
    """Let an account that a hundred wrong codes have locked try a few more; False if it was not, or has tried these."""
    return hits(
        sa.update(SecondFactors)
        .where(SecondFactors.user_id == user_id, SecondFactors.failures == MAX_FAILURES, sa.or_(*HAS_WAY))
        .values(failures=FAILURES_AFTER_RESET, last_failed_at=None)
    )


def set_failing_reported(user_id: int, now: datetime, not_since: datetime) -> bool:
    """Store that the owner is warned about wrong codes; False if that has happened since a time."""
    return hits(
        sa.update(SecondFactors)
        .where(
            SecondFactors.user_id == user_id,
            sa.or_(SecondFactors.failing_reported_at.is_(None), SecondFactors.failing_reported_at < not_since),
        )
        .values(failing_reported_at=now)
    )


# --- Authenticator apps ------------------------------------------------------------------------------------


def read_apps(user_id: int) -> Sequence[TotpDevice]:
    """The confirmed authenticator apps of a user, oldest first. The user is locked until the transaction ends.

    Every act that changes several rows of an account locks the user first, so that no two of them block each other.
    """
    return db.session.scalars(
        sa.select(TotpDevice)
        .join(User, User.id == TotpDevice.user_id)
        .where(TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_not(None))
        .with_for_update(of=User)
        .order_by(TotpDevice.created_at, TotpDevice.id)
        .execution_options(populate_existing=True)
    ).all()


def read_app_to_confirm(app_id: uuid.UUID, user_id: int) -> TotpDevice | None:
    """An app of a user that is not confirmed, as the current transaction sees it."""
    return db.session.scalar(
        sa.select(TotpDevice)
        .where(TotpDevice.id == app_id, TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_(None))
        .execution_options(populate_existing=True)
    )


def delete_unconfirmed_apps(user_id: int) -> None:
    """Delete the apps of a user that were not confirmed."""
    count_rows(sa.delete(TotpDevice).where(TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_(None)))


def confirm_app(app_id: uuid.UUID, step: int, now: datetime, created_after: datetime) -> bool:
    """Confirm an app and use up the time step of its first code; only one caller can win."""
    return hits(
        sa.update(TotpDevice)
        .where(TotpDevice.id == app_id, TotpDevice.confirmed_at.is_(None), TotpDevice.created_at > created_after)
        .values(confirmed_at=now, last_step=step, last_used_at=now, set_up_in=None)
    )


def use_step(app_id: uuid.UUID, step: int, now: datetime) -> bool:
    """Use up a time step of an app, and all older ones; only one caller can win."""
    return hits(
        sa.update(TotpDevice)
        .where(TotpDevice.id == app_id, TotpDevice.confirmed_at.is_not(None), TotpDevice.last_step < step)
        .values(last_step=step, last_used_at=now)
    )


def replace_secret(app_id: uuid.UUID, sealed: str, new: str) -> bool:
    """Store a secret that was sealed under another key, unless it has changed."""
    return hits(sa.update(TotpDevice).where(TotpDevice.id == app_id, TotpDevice.secret == sealed).values(secret=new))


def rename_app(app_id: uuid.UUID, user_id: int, name: str) -> Any:
    """Rename a confirmed app of a user; its columns as owners see them, or None if there is none."""
    return db.session.execute(
        sa.update(TotpDevice)
        .where(*_confirmed(app_id, user_id))
        .values(name=name)
        .returning(TotpDevice.id, TotpDevice.name, TotpDevice.created_at, TotpDevice.last_used_at)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def delete_app(app_id: uuid.UUID, user_id: int) -> str | None:
    """Delete a confirmed app of a user; its name, or None if there is none."""
    return db.session.scalar(
        sa.delete(TotpDevice)
        .where(*_confirmed(app_id, user_id))
        .returning(TotpDevice.name)
        .execution_options(synchronize_session=False)
    )


def _confirmed(app_id: uuid.UUID, user_id: int) -> tuple[Any, ...]:
    return TotpDevice.id == app_id, TotpDevice.user_id == user_id, TotpDevice.confirmed_at.is_not(None)


# --- Recovery codes ----------------------------------------------------------------------------------------


def use_recovery_code(user_id: int, digests: Collection[str], now: datetime) -> bool:
    """Use up a recovery code; only one caller can win."""
    return hits(
        sa.update(RecoveryCode)
        .where(RecoveryCode.user_id == user_id, RecoveryCode.digest.in_(digests), RecoveryCode.used_at.is_(None))
        .values(used_at=now)
    )


def read_unused_codes(user_id: int) -> list[str]:
    """The digests of a user's unused recovery codes, as the current transaction sees them."""
    statement = sa.select(RecoveryCode.digest)
    return list(db.session.scalars(statement.where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))))


def replace_recovery_codes(user_id: int, digests: Collection[str], now: datetime) -> None:
    """Delete a user's recovery codes and store new ones."""
    count_rows(sa.delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    if digests:
        db.session.execute(sa.insert(RecoveryCode), [{"user_id": user_id, "digest": digest} for digest in digests])
    made_at = now if digests else None
    count_rows(sa.update(SecondFactors).where(SecondFactors.user_id == user_id).values(codes_made_at=made_at))


def delete_abandoned_apps(before: datetime, most: int) -> int:
    """Delete apps that were added before a time and not confirmed, at most `most` of them; the number deleted."""
    is_abandoned = TotpDevice.confirmed_at.is_(None) & (TotpDevice.created_at < before)
    return delete_some(TotpDevice.id, is_abandoned, most)


# --- All factors of an account -----------------------------------------------------------------------------


def find_user(user_id: int) -> User | None:
    """A user, as the current transaction sees it."""
    return db.session.get(User, user_id)


def insert_second_factors(user_id: int, handle: bytes) -> None:
    """Create the row of an account that its factors share, unless it exists."""
    db.session.execute(
        insert(SecondFactors).values(user_id=user_id, handle=handle, failures=0).on_conflict_do_nothing()
    )


def set_active_since(user_id: int, moment: datetime | None) -> None:
    """Turn the second step of an account on or off."""
    count_rows(sa.update(SecondFactors).where(SecondFactors.user_id == user_id).values(active_since=moment))


def delete_all(user_id: int) -> None:
    """Delete every second factor of a user with recovery codes and remembered devices."""
    for model in (RememberedDevice, RecoveryCode, TotpDevice, Passkey, SecondFactors):
        count_rows(sa.delete(model).where(model.user_id == user_id))
