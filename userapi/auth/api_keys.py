"""API keys: long-lived credentials of programs, which users create, list, rotate and revoke (decision 0082)."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Flask, current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from userapi.audit import audit_log
from userapi.core import clock, hooks
from userapi.core.db import db
from userapi.core.hooks import Hooks, Recorder
from userapi.core.problems import NotFound, Problem, ValidationFailed
from userapi.core.scopes import join_scopes
from userapi.mail import api_key_emails
from userapi.users.models import User

from . import api_key_format, api_key_networks, api_key_queries, sessions
from .api_key_models import ApiKey
from .assurance import Proof

#: The maximum number of keys of a user. As many again can be replaced ones that are still valid.
KEYS_PER_USER = 50

#: The lifetime of a key that is created without one.
DEFAULT_LIFETIME = timedelta(days=90)

#: The proofs of keys that operators create: as good as a sign-in with a second step.
OF_OPERATOR = Proof.SEVERAL.value


class ApiKeysOff(Problem):
    """The service has no API keys: API_KEY_MAX_LIFETIME is 0."""

    status = 403
    code = "api_keys_off"
    title = lazy_gettext("API keys not available")
    detail = lazy_gettext("API keys are turned off on this site.")


class TooManyKeys(Problem):
    """The user has the maximum number of keys."""

    status = 409
    code = "too_many_api_keys"
    title = lazy_gettext("Too many API keys")
    detail = lazy_gettext("You have reached the maximum number of API keys. Revoke one that you no longer use.")


class Created(NamedTuple):
    """A new key.

    Attributes:
        row: as stored.
        key: the key itself, which is shown once.
    """

    row: ApiKey
    key: str


def configure(app: Flask) -> None:
    """Revoke the keys of accounts that are deactivated, which stay revoked when these are activated again."""
    registered: Hooks = app.extensions[hooks.REGISTRY]
    registered.on_record.append(Recorder(_revoke_with_account, actions=("user.deactivated",)))


def _revoke_with_account(
    _event_id: int, _action: str, _occurred_at: datetime, _target_kind: str | None, target_id: str | None
) -> None:
    if target_id is not None:
        revoke_all(int(target_id))


def are_on() -> bool:
    """Whether users can have API keys."""
    return bool(current_app.config["API_KEY_MAX_LIFETIME"])


def require_on() -> None:
    """Check that users can have API keys.

    Raises:
        ApiKeysOff: they cannot.
    """
    if not are_on():
        raise ApiKeysOff


def create_key(
    user: User,
    *,
    name: str,
    scopes: Iterable[str],
    amr: str,
    expires_at: datetime | None = None,
    addresses: Iterable[str] | None = None,
) -> Created:
    """Create a key of a locked user.

    Args:
        user: locked, so that two requests cannot exceed the maximum together.
        name: what the owner calls it.
        scopes: values of `core.scopes.Scope`.
        amr: the proofs of the session that creates it, or `OF_OPERATOR`.
        expires_at: when it ends; after `DEFAULT_LIFETIME` if None.
        addresses: the IP networks that it can be used from; None or none for everywhere.

    Raises:
        ApiKeysOff: users cannot have keys.
        TooManyKeys: the user has the maximum number of keys.
        ValidationFailed: it would be valid for too long, or no longer.
    """
    require_on()
    now = clock.now()
    if api_key_queries.count_keys(user.id, now).current >= KEYS_PER_USER:
        raise TooManyKeys
    networks = api_key_networks.join_networks(addresses or ())
    created = _insert(user.id, name, scopes, amr, _check_end(expires_at, now), networks, now)
    row = created.row
    audit_log.record(
        "api_key.created",
        "user",
        user.id,
        {"api_key_id": (None, row.id), "name": (None, name), "scopes": (None, row.scopes)},
    )
    return created


def rotate_key(key_id: uuid.UUID, user: User, *, amr: str, overlap: timedelta) -> Created:
    """Replace a key of a locked user by a new one with the same name, scopes, IP networks and lifetime.

    Args:
        key_id: the key.
        user: locked.
        amr: as for `create_key`.
        overlap: how long the replaced key stays valid.

    Raises:
        ApiKeysOff: users cannot have keys.
        NotFound: the user has no such key, or it has ended or been replaced.
        TooManyKeys: too many replaced keys are still valid.
    """
    require_on()
    now, new_id = clock.now(), uuid.uuid4()
    if api_key_queries.count_keys(user.id, now).all >= 2 * KEYS_PER_USER:
        raise TooManyKeys
    old = api_key_queries.replace(key_id, user.id, new_id, now, now + overlap)
    if old is None:
        raise NotFound(_("There is no API key with this id."))
    lifetime = min(old.expires_at - old.created_at, max_lifetime())
    created = _insert(user.id, old.name, old.scopes.split(), amr, now + lifetime, old.addresses, now, key_id=new_id)
    changes = {"api_key_id": (key_id, new_id), "name": (old.name, old.name)}
    audit_log.record("api_key.rotated", "user", user.id, changes)
    if not overlap:
        _end_sessions([key_id], user.id, now)
    return created


def _insert(
    user_id: int,
    name: str,
    scopes: Iterable[str],
    amr: str,
    expires_at: datetime,
    addresses: str | None,
    now: datetime,
    key_id: uuid.UUID | None = None,
) -> Created:
    key = api_key_format.create_key()
    row = ApiKey(
        id=key_id or uuid.uuid4(),
        digest=api_key_format.hash_key(key),
        user_id=user_id,
        name=name,
        last4=key[-api_key_format.SHOWN_LENGTH :],
        scopes=join_scopes(frozenset(scopes)),
        addresses=addresses,
        amr=amr,
        created_at=now,
        expires_at=expires_at,
    )
    db.session.add(row)
    db.session.flush()
    return Created(row, key)


def _check_end(expires_at: datetime | None, now: datetime) -> datetime:
    longest = max_lifetime()
    if expires_at is None:
        return now + min(DEFAULT_LIFETIME, longest)
    if expires_at <= now:
        raise ValidationFailed(errors={"expires_at": [_("Must be in the future.")]})
    if expires_at > now + longest + timedelta(minutes=1):  # the client has computed it a moment ago
        limit = ngettext(
            "A key can be valid for at most %(num)s day.", "A key can be valid for at most %(num)s days.", longest.days
        )
        raise ValidationFailed(errors={"expires_at": [limit]})
    return expires_at


def max_lifetime() -> timedelta:
    """How long a key can be valid at most."""
    return timedelta(days=current_app.config["API_KEY_MAX_LIFETIME"])


def list_keys(user_id: int) -> Sequence[sa.Row[Any]]:
    """The keys of a user that have not ended, the newest first."""
    return api_key_queries.list_keys(user_id, clock.now())


def describe_key(row: Any) -> dict[str, Any]:
    """A key as its owner sees it."""
    shown = {column.name: getattr(row, column.name) for column in api_key_queries.SHOWN}
    return {**shown, "scopes": row.scopes.split(), "addresses": (row.addresses or "").split()}


def revoke_key(key_id: uuid.UUID, user_id: int) -> None:
    """Revoke one key of a user; the sessions that it was exchanged for end.

    Raises:
        NotFound: the user has no such key, or it has ended.
    """
    if not _revoke([key_id], user_id):
        raise NotFound(_("There is no API key with this id."))


def revoke_all(user_id: int) -> list[str]:
    """Revoke every key of a user; the keys that had not ended, as emails name them."""
    return _revoke(None, user_id)


def revoke_all_of_everyone() -> int:
    """Revoke every key of every user; the number of keys that had not ended."""
    return sum(len(revoke_all(user_id)) for user_id in api_key_queries.list_holders(clock.now()))


def _revoke(key_ids: Sequence[uuid.UUID] | None, user_id: int) -> list[str]:
    now = clock.now()
    revoked = api_key_queries.revoke(key_ids, user_id, now)
    _end_sessions([row.id for row in revoked], user_id, now)
    for row in revoked:
        audit_log.record("api_key.revoked", "user", user_id, {"api_key_id": (row.id, None), "name": (row.name, None)})
    return [api_key_emails.name_key(row.name, row.last4) for row in revoked]


def _end_sessions(key_ids: Sequence[uuid.UUID], user_id: int, now: datetime) -> None:
    """End the sessions that keys were exchanged for, and name them in an event, so that other services reject them."""
    if ended := api_key_queries.end_sessions(key_ids, now):
        sessions.record_end(user_id, ended)
