"""Passkeys as JSON."""

from typing import Any

from flask import Response

from userapi.http.responses import Document, json_response
from userapi.mfa import challenges, passkey_options


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


def options_response(options: dict[str, Any]) -> Response:
    """Options for a browser, and how long they can be used."""
    return json_response({"publicKey": options, "expires_in": int(challenges.LIFETIME.total_seconds())})
