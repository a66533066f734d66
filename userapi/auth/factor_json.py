"""Second factors as JSON."""

from typing import Any

from userapi.http.responses import Document
from userapi.mfa import factors, passkey_options, requirements

from .caller import Caller
from .passkey_json import describe_passkey

OWN_COLUMNS = ("id", "name", "created_at", "last_used_at")


def describe_factors(caller: Caller) -> Document:
    """The second factors of the caller, as a JSON object."""
    found = factors.read_overview(caller.user.id)
    codes = {"left": found.codes_left, "made_at": found.codes_made_at} if found.codes_made_at else None
    return {
        "second_step": found.second_step,
        "required": requirements.is_required(caller.user),
        "totp": [describe_app(app) for app in found.apps],
        "passkeys": [describe_passkey(passkey) for passkey in found.passkeys],
        "user_handle": None if found.handle is None else passkey_options.encode(found.handle),
        "recovery_codes": codes,
        "devices": found.devices,
    }


def describe_app(app: Any) -> Document:
    """An authenticator app, as a JSON object."""
    return {name: getattr(app, name) for name in OWN_COLUMNS}
