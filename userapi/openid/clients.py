"""The rules about client applications: creating, changing, disabling and deleting them, and their secrets.

The entry points check the permissions of staff. What only superusers may do is checked here: a first-party client needs
no consent of its users, so staff who changed one could sign in there as any of them (decision 0114).
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.auth import keys
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import PermissionDenied
from userapi.users.permissions import Actor

from . import client_checks, client_secrets, queries, scopes
from .client_secrets import TokenAuth
from .models import Client, ClientKind
from .openid_tokens import Algorithm
from .problems import ClientChanged, ClientNotFound, NoSecret, TooManyClients

#: The number of clients that a list of them may have.
MAX_CLIENTS = 500

#: How long the previous secret is accepted after a rotation, in seconds, by default and at most.
DEFAULT_GRACE, MAX_GRACE = 86_400, 604_800

#: The kind of target in the audit log.
KIND = "client"

#: What can be changed of a client.
CHANGEABLE = (
    "name", "home_page", "is_first_party", "redirect_uris", "post_logout_redirect_uris", "backchannel_logout_uri",
    "origins", "scopes", "grants", "resources", "token_auth", "id_token_alg", "requires_pkce", "claims_in_id_token",
    "requires_par",
)  # fmt: skip

#: What a new client has unless it is given.
DEFAULTS: Mapping[str, Any] = {
    "home_page": "",
    "is_first_party": False,
    "redirect_uris": [],
    "post_logout_redirect_uris": [],
    "backchannel_logout_uri": None,
    "origins": [],
    "resources": [],
    "id_token_alg": Algorithm.ES256.value,
    "requires_pkce": True,
    "claims_in_id_token": False,
    "requires_par": False,
}


@dataclass(frozen=True)
class Created:
    """A new client.

    Attributes:
        client: its row.
        secret: its secret, which is not stored; None for a public client.
    """

    client: Client
    secret: str | None


def create(kind: str, name: str, *, by: Actor | None = None, **given: Any) -> Created:
    """Create a client.

    Args:
        kind: a value of `ClientKind`.
        name: what users call it.
        by: the user who creates it; None on the command line.
        given: other columns; what is missing has its default.

    Raises:
        PermissionDenied: only superusers may create one like this.
        ValidationFailed: naming the fields.
        TooManyClients: there are `MAX_CLIENTS`.
    """
    kind = ClientKind(kind)
    values = {
        **DEFAULTS,
        "scopes": "" if kind is ClientKind.MACHINE else scopes.join(scopes.DEFAULT),
        "grants": [grant.value for grant in client_checks.DEFAULT_GRANTS[kind]],
        "token_auth": (TokenAuth.BASIC if client_checks.is_confidential(kind) else TokenAuth.NONE).value,
        **{name: value for name, value in given.items() if value is not None},
        "kind": kind.value,
        "name": name.strip(),
    }
    values["scopes"] = scopes.join(scopes.split(values["scopes"]))
    client_checks.check(values)
    values["origins"] = _make_origins(values["origins"])
    _require_authority(by, is_first_party=values["is_first_party"])
    if queries.count_clients() >= MAX_CLIENTS:
        raise TooManyClients
    client = Client(
        id=client_secrets.make_client_id(),
        maker_id=by.id if by is not None else None,
        created_at=clock.now(),
        **{**values, "grants": scopes.join(values["grants"])},
    )
    secret = client_secrets.replace_secret(client, timedelta()) if client_checks.is_confidential(kind) else None
    db.session.add(client)
    db.session.flush()
    _ensure_key(values["id_token_alg"])
    facts = {"name": client.name, "kind": kind.value, "redirect_uris": client.redirect_uris, "scopes": client.scopes}
    audit_log.record("client.created", KIND, client.id, {name: (None, fact) for name, fact in facts.items()})
    return Created(client, secret)


def change(
    client_id: str, changes: Mapping[str, Any], *, by: Actor | None = None, version: str | None = None
) -> Client:
    """Change a client.

    Args:
        client_id: the client.
        changes: any of `CHANGEABLE`; `grants` as a list.
        by: the user who changes it; None on the command line.
        version: what `make_version` returned when the client was read; None overwrites whatever is stored.

    Raises:
        PermissionDenied: only superusers may change this.
        ValidationFailed: naming the fields.
        ClientChanged: it is no longer that version.
        ClientNotFound: there is none with this id.
    """
    client = lock(client_id, by=by)
    if version not in (None, make_version(client)):
        raise ClientChanged
    before = {name: getattr(client, name) for name in CHANGEABLE}
    after = {**before, **changes}
    after["scopes"] = scopes.join(scopes.split(after["scopes"]))
    grants = changes.get("grants", scopes.split(before["grants"]))
    client_checks.check({**after, "grants": grants, "kind": client.kind})
    _require_authority(by, is_first_party=after["is_first_party"])
    after["origins"] = _make_origins(after["origins"])
    after["grants"] = scopes.join(grants)
    recorded = {name: (before[name], after[name]) for name in CHANGEABLE if before[name] != after[name]}
    for name, (_old, new) in recorded.items():
        setattr(client, name, new)
    db.session.flush()
    _ensure_key(client.id_token_alg)
    if recorded:
        audit_log.record("client.changed", KIND, client_id, recorded)
    return client


def rotate_secret(client_id: str, grace: int = DEFAULT_GRACE, *, by: Actor | None = None) -> str:
    """Replace the secret of a client, and return the new one, which is not stored.

    Args:
        client_id: the client.
        grace: for how many seconds the previous secret is accepted too; at most `MAX_GRACE`.
        by: the user who does it; None on the command line.

    Raises:
        PermissionDenied: only superusers may change this client.
        ClientNotFound: there is none with this id.
        NoSecret: it is a public client.
    """
    client = lock(client_id, by=by)
    if not client_checks.is_confidential(client.kind):
        raise NoSecret
    grace = min(max(grace, 0), MAX_GRACE)
    secret = client_secrets.replace_secret(client, timedelta(seconds=grace))
    db.session.flush()
    audit_log.record("client.secret_rotated", KIND, client_id, {"grace": (None, grace)})
    return secret


def set_active(client_id: str, *, is_active: bool, by: Actor | None = None) -> Client:
    """Enable or disable a client. The tokens of a disabled one are rejected.

    Raises:
        PermissionDenied: only superusers may change this client.
        ClientNotFound: there is none with this id.
    """
    client = lock(client_id, by=by)
    if (client.disabled_at is None) is not is_active:
        client.disabled_at = None if is_active else clock.now()
        db.session.flush()
        audit_log.record("client.changed", KIND, client_id, {"is_active": (not is_active, is_active)})
    return client


def delete(client_id: str, *, by: Actor | None = None) -> None:
    """Delete a client with its tokens and what users have allowed it.

    Raises:
        PermissionDenied: only superusers may change this client.
        ClientNotFound: there is none with this id.
    """
    client = lock(client_id, by=by)
    audit_log.record("client.deleted", KIND, client_id, {"name": (client.name, None)})
    db.session.delete(client)
    db.session.flush()


def find(client_id: str, *, to_change_by: Actor | None = None) -> Any:
    """The row of a client.

    Args:
        client_id: the client.
        to_change_by: the user who is about to change it.

    Raises:
        PermissionDenied: only superusers may change this client.
        ClientNotFound: there is none with this id.
    """
    client = queries.find_client(client_id)
    if client is None:
        raise ClientNotFound
    _require_authority(to_change_by, is_first_party=client.is_first_party)
    return client


def lock(client_id: str, *, by: Actor | None = None) -> Client:
    """A client to change, locked until the transaction ends.

    Args:
        client_id: the client.
        by: the user who changes it; None on the command line.

    Raises:
        PermissionDenied: only superusers may change this client.
        ClientNotFound: there is none with this id.
    """
    client = queries.lock_client(client_id)
    if client is None:
        raise ClientNotFound
    _require_authority(by, is_first_party=client.is_first_party)
    return client


def make_version(client: Any) -> str:
    """A text that differs when anything of a client was changed."""
    values = json.dumps([getattr(client, name) for name in CHANGEABLE])
    return hashlib.sha256(values.encode()).hexdigest()


def describe_begin(client: Any) -> audit_log.Changes:
    """What an event of a user says of the client with which something begins."""
    return {"client": (None, client.id), "name": (None, client.name)}


def describe_end(client: Any) -> audit_log.Changes:
    """What an event of a user says of the client with which something ends."""
    return {"client": (client.id, None), "name": (client.name, None)}


def may_change(client: Any, by: Actor) -> bool:
    """Whether a user who has the permission to change clients may change this one."""
    return by.is_superuser or not client.is_first_party


def _require_authority(by: Actor | None, *, is_first_party: bool) -> None:
    if by is not None and is_first_party and not by.is_superuser:
        raise PermissionDenied(_("Only superusers can create, change or delete a first-party application."))


def _make_origins(urls: Collection[str]) -> list[str]:
    """Origins as browsers send them, because they are compared exactly."""
    return list(dict.fromkeys(client_checks.make_origin(url) for url in urls))


def _ensure_key(algorithm: str) -> None:
    """Create an RSA key for the first client that needs one."""
    if algorithm == Algorithm.RS256:
        keys.ensure_rsa_key()
