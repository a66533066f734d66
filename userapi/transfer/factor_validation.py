"""Checks the second factors of a user in a file. What cannot be used is named, and the user is imported without it.

A user whose second factors are all unusable is imported with a locked second step: no user may lose it by moving
(decision 0059).
"""

import base64
import binascii
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import ValidationError, fields, validate

from userapi.core import clock
from userapi.http.fields import Flag, choice_check, range_check
from userapi.mfa import moving_in, public_keys, totp
from userapi.mfa.credentials import (
    MAX_CREDENTIAL_ID,
    MAX_USER_HANDLE,
    TRANSPORTS,
    CeremonyError,
    decode,
    only_ceremony_errors,
)
from userapi.mfa.models import MAX_NAME_LENGTH
from userapi.mfa.moving_in import ImportedApp, ImportedFactors, ImportedPasskey
from userapi.users.field_types import AnyField

from .field_loading import join_reasons, load_fields
from .records import printable
from .validation import PastTimestamp

#: The lengths of secrets of apps, in bits: `totp.MIN_SECRET_BITS` and the most that an app can have.
MAX_SECRET_BITS = 512

#: How far the last step of an app may be ahead: its clock is wrong, and so are its codes.
MAX_STEPS_AHEAD = 20

#: The maximum number of factors of a kind; more are a mistake in the file.
MAX_FACTORS = 100

MAX_PUBLIC_KEY = 2048


class FileFactors(NamedTuple):
    """The second factors of a user in a file.

    Attributes:
        factors: those that can be used.
        unreadable: why others cannot be used.
    """

    factors: ImportedFactors
    unreadable: list[str]


class UnreadableFactor(ValueError):
    """A factor cannot be used; the text says why."""


class Secret(fields.Field[str]):
    """The secret of an app in base32."""

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> str:
        try:
            text = value.replace(" ", "").rstrip("=").upper()
            bits = len(base64.b32decode(text + "=" * (-len(text) % 8))) * 8
        except (AttributeError, TypeError, ValueError) as error:
            raise ValidationError(_("Not base32: it is encrypted or damaged.")) from error
        if not totp.MIN_SECRET_BITS <= bits <= MAX_SECRET_BITS:
            raise ValidationError(_("Must have from %(least)s to %(most)s bits.", least=totp.MIN_SECRET_BITS, most=512))
        return str(text)


class Bytes(fields.Field[bytes]):
    """Base64url without padding."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> bytes:
        try:
            found = decode(value, self.most)
        except (CeremonyError, binascii.Error) as error:
            raise ValidationError(_("Not base64url, or too long.")) from error
        if not found:
            raise ValidationError(_("Missing."))
        return found


class WholeNumber(fields.Integer):
    """A whole number, not text."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(strict=True, validate=range_check(least, most))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ValidationError(_("Must be a whole number."))
        return super()._deserialize(value, attr, data, **kwargs)


#: The fields that describe a factor: if one is invalid, the factor is imported without it.
DESCRIPTION = ("name", "created_at", "last_used_at")

APP_FIELDS: dict[str, AnyField] = {
    "secret": Secret(),
    "digits": fields.Integer(strict=True, validate=validate.OneOf((6, 8), error=lazy_gettext("Must be 6 or 8."))),
    "period": WholeNumber(15, 120),
    "algorithm": fields.String(validate=choice_check(tuple(totp.ALGORITHMS))),
    "last_step": WholeNumber(-1, 2**40),
}
APP_DEFAULTS: dict[str, Any] = {"digits": 6, "period": 30, "algorithm": "SHA1", "last_step": -1}

PASSKEY_FIELDS: dict[str, AnyField] = {
    "credential_id": Bytes(MAX_CREDENTIAL_ID),
    "public_key": Bytes(MAX_PUBLIC_KEY),
    "rp_id": fields.String(),
    "handle": Bytes(MAX_USER_HANDLE),
    "sign_count": WholeNumber(0, 2**32 - 1),
    "aaguid": fields.UUID(),
    "transports": fields.List(fields.String(validate=choice_check(TRANSPORTS))),
    "backup_eligible": Flag(),
    "backed_up": Flag(),
    "user_verified": Flag(),
    "discoverable": Flag(),
}
PASSKEY_DEFAULTS: dict[str, Any] = {
    "sign_count": 0,
    "aaguid": uuid.UUID(int=0),
    "transports": (),
    "backed_up": False,
    "user_verified": False,
    "discoverable": None,
}
PASSKEY_REQUIRED = ("credential_id", "public_key", "rp_id", "handle", "backup_eligible")


def validate_factors(values: Any) -> FileFactors:
    """Check the object `second_factors` of a user."""
    if not isinstance(values, Mapping):
        return FileFactors(ImportedFactors(True, (), (), ()), [_("Must be an object.")])
    unreadable = [printable_reason(each) for each in _list(values.get("unreadable"))]
    apps = _read_each(values.get("apps"), _read_app, _("Authenticator app"), unreadable)
    passkeys = _read_each(values.get("passkeys"), _read_passkey, _("Passkey"), unreadable)
    codes = []
    for code in _list(values.get("recovery_codes")):
        normal = moving_in.find_normal_form(code) if isinstance(code, str) else ""
        if moving_in.is_recovery_code(normal):
            codes.append(normal)
        else:
            unreadable.append(_("A recovery code is encrypted or damaged."))
    unique = list(dict.fromkeys(unreadable))
    return FileFactors(ImportedFactors(values.get("is_on") is not False, apps, passkeys, codes), unique)


def printable_reason(text: Any) -> str:
    """A reason from a file, in one line."""
    return " ".join("".join(character if character.isprintable() else "?" for character in str(text)[:300]).split())


def _read_each(values: Any, read: Callable[[Mapping[str, Any]], Any], kind: str, unreadable: list[str]) -> list[Any]:
    """What can be read of the factors of a kind; the reasons why others cannot are added to `unreadable`."""
    found = []
    for value in _list(values):
        try:
            if not isinstance(value, Mapping):
                raise UnreadableFactor(_("Must be an object."))
            found.append(read(value))
        except UnreadableFactor as error:
            unreadable.append(f"{kind}: {error}")
    return found


def _read_app(values: Mapping[str, Any]) -> ImportedApp:
    app = {**APP_DEFAULTS, **_load(APP_FIELDS, values)}
    if "secret" not in app:
        raise UnreadableFactor(_("It has no secret."))
    if app["last_step"] > clock.now().timestamp() // app["period"] + MAX_STEPS_AHEAD:
        raise UnreadableFactor(_("Its last code is in the future."))
    return ImportedApp(**app, **_describe(values, _("Authenticator app")))


def _read_passkey(values: Mapping[str, Any]) -> ImportedPasskey:
    from fido2 import cbor  # loaded only when someone has a passkey

    passkey = {**PASSKEY_DEFAULTS, **_load(PASSKEY_FIELDS, values)}
    missing = [name for name in PASSKEY_REQUIRED if name not in passkey]
    if missing:
        raise UnreadableFactor(_("Missing: %(names)s.", names=", ".join(missing)))
    if passkey["rp_id"] != current_app.config["PASSKEY_RP_ID"]:
        raise UnreadableFactor(_("It was created for another site: %(site)s.", site=printable(passkey["rp_id"])))
    try:
        with only_ceremony_errors():
            algorithm, key = public_keys.read(cast("Mapping[Any, Any]", cbor.decode(passkey.pop("public_key"))))
    except CeremonyError as error:
        raise UnreadableFactor(_("Its public key is not supported.")) from error
    return ImportedPasskey(**passkey, public_key=key, algorithm=algorithm, **_describe(values, _("Passkey")))


def _load(known: Mapping[str, AnyField], values: Mapping[str, Any]) -> dict[str, Any]:
    """The valid values of a factor, without those that describe it.

    Raises:
        UnreadableFactor: one is invalid or unknown.
    """
    present = {name: value for name, value in values.items() if value is not None and name not in DESCRIPTION}
    valid, invalid = load_fields(known, present)
    if invalid:
        raise UnreadableFactor(join_reasons(invalid))
    return valid


def _describe(values: Mapping[str, Any], kind: str) -> dict[str, Any]:
    name = values.get("name")
    shown = printable(name).strip()[:MAX_NAME_LENGTH] if isinstance(name, str) else ""
    moments, _invalid = load_fields(
        {name: PastTimestamp() for name in ("created_at", "last_used_at")},
        {name: values[name] for name in ("created_at", "last_used_at") if values.get(name)},
    )
    return {"name": shown or kind, "created_at": moments.get("created_at"), "last_used_at": moments.get("last_used_at")}


def _list(value: Any) -> list[Any]:
    return value[:MAX_FACTORS] if isinstance(value, list) else []
