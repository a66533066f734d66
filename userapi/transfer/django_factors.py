"""Reads the second factors in a Django dump: of django-otp and its plugins, and of allauth.

The result is the object `second_factors` of JSON Lines, so that `factor_validation` checks both alike. A factor that
cannot be read is named there, because its user must not sign in without a second step.
"""

import base64
import hmac
import re
import string
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from flask import current_app
from flask_babel import gettext as _

from userapi.mfa import webauthn
from userapi.mfa.credentials import CeremonyError

TOTP, STATIC, STATIC_TOKEN, ALLAUTH = (
    "otp_totp.totpdevice", "otp_static.staticdevice", "otp_static.statictoken", "mfa.authenticator",
)  # fmt: skip

#: How to recognize devices of other plugins of django-otp: by these fields, and by the application or a further field.
DEVICE_FIELDS = {"user", "name", "confirmed"}
DEVICE_APPLICATIONS = re.compile(r"otp_|two_factor\.|phonenumber\.")
THROTTLED_DEVICE_FIELD = "throttling_failure_count"

#: The seed of allauth's recovery codes, unless it was encrypted; and what allauth makes of it with default settings.
SEED = re.compile(r"[0-9a-f]{80}")
ALLAUTH_CODES, ALLAUTH_CODE_DIGITS, ALLAUTH_PERIOD = 10, 8, 30

BASE36 = string.digits + string.ascii_lowercase


class FactorEntry(NamedTuple):
    """An entry of a dump that is a second factor.

    Attributes:
        entry: its model and primary key, for the report.
        pk: the primary key as `django_owners.key` has it.
        user_pk: the primary key of its user, or None if the dump has none.
    """

    model: str
    entry: str
    pk: str
    user_pk: Any
    fields: dict[str, Any]


class Unreadable(ValueError):
    """A factor cannot be imported; the text says why."""


def is_factor(model: str, fields: dict[str, Any]) -> bool:
    """Whether an entry is a second factor of a user, of any kind."""
    if model in (TOTP, STATIC, ALLAUTH):
        return True
    is_known = DEVICE_APPLICATIONS.match(model) is not None or THROTTLED_DEVICE_FIELD in fields
    return is_known and fields.keys() >= DEVICE_FIELDS


def read_factors(
    entries: Iterable[FactorEntry], read_tokens: Callable[[str], list[str]], left_out: Counter[str]
) -> dict[str, Any] | None:
    """The second factors of a user; None if a sign-in needed none.

    Args:
        entries: of this user.
        read_tokens: returns the tokens of a static device, by its primary key.
        left_out: counts what is ignored, by model.
    """
    found: dict[str, list[Any]] = {"apps": [], "passkeys": [], "recovery_codes": [], "unreadable": []}
    for each in entries:
        if each.fields.get("confirmed", True) is not True:
            left_out[f"{each.model} not confirmed"] += 1
            continue
        try:
            kind, factors = _read(each, read_tokens)
            found[kind] += factors
        except (Unreadable, CeremonyError) as error:
            found["unreadable"].append(f"{each.entry}: {error}")
    return found if any(found.values()) else None


def _read(each: FactorEntry, read_tokens: Callable[[str], list[str]]) -> tuple[str, list[Any]]:
    """The kind of a factor, and what it becomes."""
    fields = each.fields
    match each.model, fields.get("type"):
        case "otp_totp.totpdevice", _type:
            return "apps", [_read_totp_device(fields)]
        case "otp_static.staticdevice", _type:
            return "recovery_codes", read_tokens(each.pk)
        case "mfa.authenticator", "totp":
            return "apps", [_read_allauth_app(fields)]
        case "mfa.authenticator", "recovery_codes":
            return "recovery_codes", _read_allauth_codes(_data(fields))
        case "mfa.authenticator", "webauthn":
            return "passkeys", [_read_allauth_passkey(fields, each.user_pk)]
    raise Unreadable(_("This kind of second factor cannot be imported."))


def _read_totp_device(fields: dict[str, Any]) -> dict[str, Any]:
    if fields.get("t0") != 0:
        raise Unreadable(_("Its time does not begin at 0 (t0)."))
    try:
        secret = base64.b32encode(bytes.fromhex(fields.get("key", ""))).decode()
    except (TypeError, ValueError) as error:
        raise Unreadable(_("Its key is not hexadecimal.")) from error
    period, last = fields.get("step"), fields.get("last_t")
    if last == -1:
        # Sites accept the first code before they store the device, so they have not stored its step.
        last = _find_last_step(fields, period)
    return {"secret": secret, "digits": fields.get("digits"), "period": period, "last_step": last, **_describe(fields)}


def _read_allauth_app(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "secret": _data(fields).get("secret"),
        "last_step": _find_last_step(fields, ALLAUTH_PERIOD),
        **_describe(fields),
    }


def _read_allauth_codes(data: dict[str, Any]) -> list[Any]:
    """The codes that are not used: stored ones, or computed as allauth does."""
    migrated = data.get("migrated_codes")
    if isinstance(migrated, list):
        return migrated
    seed, used = data.get("seed"), data.get("used_mask")
    if not isinstance(seed, str) or not SEED.fullmatch(seed) or type(used) is not int:
        raise Unreadable(_("Its secret is encrypted or damaged."))
    codes, digest = [], hmac.new(seed.encode(), None, "sha1")
    for number in range(ALLAUTH_CODES):
        digest.update(f"{number:3},".encode())
        value = int.from_bytes(digest.digest()[: ALLAUTH_CODE_DIGITS // 2]) % 10**ALLAUTH_CODE_DIGITS
        codes.append(f"{value:0{ALLAUTH_CODE_DIGITS}}")
    return [code for number, code in enumerate(codes) if not used >> number & 1]


def _read_allauth_passkey(fields: dict[str, Any], user_pk: Any) -> dict[str, Any]:
    if user_pk is None:
        raise Unreadable(_("The dump has no IDs. Create it again without --natural-primary."))
    data, rp_id = _data(fields), current_app.config["PASSKEY_RP_ID"]
    try:
        passkey = webauthn.read_registration(data.get("credential"), rp_id)
    except CeremonyError as error:
        reason = _(
            "It was created for another site than %(site)s, or it is damaged.",
            site=rp_id or _("a site without a host name"),
        )
        raise Unreadable(reason) from error
    return {
        "credential_id": _encode(passkey.credential_id),
        "public_key": _encode(passkey.public_key),
        "rp_id": rp_id,
        "handle": _encode(_build_handle(user_pk).encode()),
        "sign_count": passkey.flags.sign_count,
        "aaguid": str(passkey.aaguid),
        "transports": list(passkey.transports),
        "backup_eligible": passkey.flags.backup_eligible,
        "backed_up": passkey.flags.backed_up,
        "user_verified": passkey.flags.user_verified,
        "discoverable": passkey.discoverable,
        **_describe(fields, data.get("name")),
    }


def _build_handle(user_pk: Any) -> str:
    """The user handle that allauth gives to authenticators: the primary key, an integer in base 36."""
    if isinstance(user_pk, int):
        digits = ""
        while user_pk:
            user_pk, digit = divmod(user_pk, 36)
            digits = BASE36[digit] + digits
        return digits
    try:
        return uuid.UUID(user_pk).hex
    except ValueError:
        return str(user_pk)


def _describe(fields: dict[str, Any], name: Any = None) -> dict[str, Any]:
    """What factors of all kinds have. django-otp calls the device of a user `default`, which says nothing."""
    name = name or fields.get("name")
    return {
        "name": None if name == "default" else name,
        "created_at": fields.get("created_at"),
        "last_used_at": fields.get("last_used_at"),
    }


def _find_last_step(fields: dict[str, Any], period: Any) -> int:
    """The last step whose code the old site may have accepted, where it stored only the time: up to the next one."""
    moments = [moment for moment in map(_moment, (fields.get("created_at"), fields.get("last_used_at"))) if moment]
    if not moments or type(period) is not int or period < 1:
        return -1
    return int(max(moments).timestamp()) // period + 1


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _data(fields: dict[str, Any]) -> dict[str, Any]:
    data = fields.get("data")
    return data if isinstance(data, dict) else {}


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
