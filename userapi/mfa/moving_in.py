"""Second factors that come from another service with their users, or go to one."""

import logging
import secrets
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa

from userapi.audit import audit_log
from userapi.core import clock
from userapi.security import data_keys
from userapi.security.data_keys import CannotOpen

from . import codes, data_key_rotation, moving_queries, passkey_use, recovery_codes, totp
from .factors import HANDLE_BYTES
from .moving_queries import MovedRows
from .passkey_options import encode
from .queries import MAX_FAILURES

log = logging.getLogger(__name__)

#: The columns of apps and passkeys that are exported as they are.
APP_COLUMNS = ("name", "digits", "period", "algorithm", "last_step", "created_at", "last_used_at")
PASSKEY_COLUMNS = (
    "name", "sign_count", "aaguid", "rp_id", "backup_eligible", "backed_up", "user_verified", "discoverable",
    "created_at", "last_used_at",
)  # fmt: skip


@dataclass(frozen=True)
class ImportedApp:
    """An authenticator app.

    Attributes:
        secret: base32 without padding.
        last_step: the time step of the last code that the other service accepted, or -1.
        created_at: None if it is not known.
    """

    name: str
    secret: str
    digits: int
    period: int
    algorithm: str
    last_step: int
    created_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class ImportedPasskey:
    """A passkey; the attributes are those of `Passkey`."""

    name: str
    credential_id: bytes
    public_key: bytes
    algorithm: int
    sign_count: int
    handle: bytes
    aaguid: uuid.UUID
    transports: Sequence[str]
    rp_id: str
    backup_eligible: bool
    backed_up: bool
    user_verified: bool
    discoverable: bool | None
    created_at: datetime | None
    last_used_at: datetime | None


class KnownPasskeys(NamedTuple):
    """Passkeys that were not inserted, because they belong to another account.

    Attributes:
        owners: the ids of users who would have had one.
        locked: those of them who have nothing else to do the second step with.
    """

    owners: set[int]
    locked: set[int]


class ImportedFactors(NamedTuple):
    """The second factors of a user.

    Attributes:
        is_on: whether a sign-in needs the second step.
        recovery_codes: in the normal form.
    """

    is_on: bool
    apps: Sequence[ImportedApp]
    passkeys: Sequence[ImportedPasskey]
    recovery_codes: Sequence[str]

    @property
    def are_usable(self) -> bool:
        """Whether there is anything to do the second step with."""
        return bool(self.apps or self.passkeys or self.recovery_codes)


def find_normal_form(code: str) -> str:
    """A recovery code as it is compared."""
    return recovery_codes.find_normal_form(codes.normalize(code))


def is_recovery_code(normal_form: str) -> bool:
    """Whether a text in the normal form can be entered as a recovery code."""
    return recovery_codes.may_be_code(normal_form)


def insert(factors: Mapping[int, ImportedFactors]) -> KnownPasskeys:
    """Insert the second factors of users who have none. Where nothing is usable, the second step is locked.

    Args:
        factors: by user id.

    Returns:
        Whose passkeys were not inserted.

    Raises:
        KeyFolderError: the folder of data keys cannot be used.
    """
    if not factors:
        return KnownPasskeys(set(), set())
    data_key_rotation.ensure_key()
    rows, now = MovedRows(), clock.now()
    for user_id, each in factors.items():
        rows.second_factors.append(
            {
                "user_id": user_id,
                "handle": secrets.token_bytes(HANDLE_BYTES),
                "active_since": now if each.is_on else None,
                "failures": 0 if each.are_usable else MAX_FAILURES,
                "codes_made_at": now if each.recovery_codes else None,
            }
        )
        rows.apps += [_app_row(user_id, app, now) for app in each.apps]
        rows.passkeys += [_passkey_row(user_id, passkey, now) for passkey in each.passkeys]
        digests = {data_keys.authenticate(code, recovery_codes.PURPOSE, str(user_id)) for code in each.recovery_codes}
        rows.recovery_codes += [{"user_id": user_id, "digest": digest} for digest in digests]
    inserted = moving_queries.insert(rows)
    with_passkeys = {row["user_id"] for row in rows.passkeys if row["id"] in inserted}
    without = {row["user_id"] for row in rows.passkeys if row["id"] not in inserted}
    usable = {user_id for user_id, each in factors.items() if each.apps or each.recovery_codes} | with_passkeys
    moving_queries.lock(without - usable)
    for user_id, each in factors.items():
        counts = {"apps": len(each.apps), "passkeys": len(each.passkeys), "recovery_codes": len(each.recovery_codes)}
        audit_log.record("factors.imported", "user", user_id, {name: (None, count) for name, count in counts.items()})
    return KnownPasskeys(without, without - usable)


def use_up_steps(factors: Mapping[int, ImportedFactors]) -> None:
    """Use up the time steps that another service has accepted, for users who keep the apps that they have here.

    Args:
        factors: by user id.
    """
    last_steps: dict[tuple[int, int], int] = {}
    for user_id, each in factors.items():
        for app in each.apps:
            place = (user_id, app.period)
            last_steps[place] = max(app.last_step, last_steps.get(place, -1))
    moving_queries.use_up_steps(last_steps)


def find_users_with_factors(user_ids: Collection[int]) -> set[int]:
    """Those of these users who have a second factor, or recovery codes, also used ones.

    The others can get those of a file: their second step is off, or locked because nothing could be imported before.
    """
    return moving_queries.find_users(user_ids)


def read(connection: sa.Connection, first: int, last: int) -> dict[int, dict[str, Any]]:
    """The second factors of users with ids from `first` to `last`, with the secrets of apps, by user id.

    Recovery codes are not among them: they are stored as authentication codes, which only this service can check.

    Args:
        connection: reads as of one moment.
        first: the first user id.
        last: the last user id.

    Raises:
        DataKeyMissing: the key of a secret is not in the folder.
    """
    rows = moving_queries.read_page(connection, first, last)
    found: dict[int, dict[str, Any]] = {}
    handles = {row.user_id: row.handle for row in rows.second_factors}
    for row in rows.second_factors:
        found[row.user_id] = {"is_on": row.active_since is not None, "apps": [], "passkeys": []}
    for row in rows.apps:
        try:
            secret = totp.open_secret(cast("Any", row))
        except CannotOpen:
            log.error("secret of an app cannot be opened", extra={"app": str(row.id)})
            continue
        columns = {name: getattr(row, name) for name in APP_COLUMNS}
        found[row.user_id]["apps"].append({**columns, "secret": secret})
    for row in rows.passkeys:
        columns = {name: getattr(row, name) for name in PASSKEY_COLUMNS}
        keys = {"credential_id": row.credential_id, "public_key": row.public_key}
        keys["handle"] = row.handle or handles[row.user_id]
        encoded = {name: encode(value) for name, value in keys.items()}
        found[row.user_id]["passkeys"].append({**columns, **encoded, "transports": row.transports.split()})
    return found


def _app_row(user_id: int, app: ImportedApp, now: datetime) -> dict[str, Any]:
    app_id, created_at = uuid.uuid4(), app.created_at or now
    return {
        "id": app_id,
        "user_id": user_id,
        "name": app.name,
        "secret": totp.seal_secret(app.secret, user_id, app_id),
        "digits": app.digits,
        "period": app.period,
        "algorithm": app.algorithm,
        "last_step": app.last_step,
        "created_at": created_at,
        "confirmed_at": created_at,
        "last_used_at": app.last_used_at,
    }


def _passkey_row(user_id: int, passkey: ImportedPasskey, now: datetime) -> dict[str, Any]:
    return {
        **vars(passkey),
        "id": uuid.uuid4(),
        "user_id": user_id,
        "credential_digest": passkey_use.compute_digest(passkey.credential_id),
        "transports": " ".join(passkey.transports),
        "created_at": passkey.created_at or now,
    }
