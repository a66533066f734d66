"""Passkeys as JSON."""

from typing import Any

from userapi.http.responses import Document
from userapi.mfa import passkey_options


def describe_passkey(passkey: Any) -> Document:
    """What its owner sees of a passkey: a row of `passkey_queries.list_passkeys`, or a `Passkey`."""
    return {
        "id": passkey.id,
        "name": passkey.name,
        "created_at": passkey.created_at,
        "last_used_at": passkey.last_used_at,
        "signs_in_alone": passkey_options.signs_in_alone(passkey),
        "is_synced": passkey.backed_up,
        "transports": passkey.transports.split(),
        "credential_id": passkey_options.encode(passkey.credential_id),
    }
