"""Checks the identities of a user in a file. What cannot be used is named, and the user is imported without it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask_babel import gettext as _
from marshmallow import ValidationError, fields

from userapi.core.provider_settings import PROVIDER_ID, issuer
from userapi.federation.models import MAX_SUBJECT
from userapi.federation.moving import ImportedIdentity
from userapi.http.fields import Line
from userapi.users import email_address
from userapi.users.field_types import AnyField

from .factor_validation import printable_reason
from .field_loading import join_reasons, load_fields
from .validation import PastTimestamp

#: The maximum number of identities of a user; more are a mistake in the file.
MAX_IDENTITIES = 20

#: What an entry of a Django dump has instead of an identity, if it cannot be imported: the reason.
UNREADABLE = "unreadable"

REQUIRED = ("issuer", "subject", "provider")


class FileIdentities(NamedTuple):
    """The identities of a user in a file.

    Attributes:
        identities: those that can be used.
        unreadable: why others cannot be used.
    """

    identities: list[ImportedIdentity]
    unreadable: list[str]


class Issuer(fields.Field[str]):
    """The URL of an issuer."""

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> str:
        try:
            return issuer(value if isinstance(value, str) else "")
        except ValidationError as error:
            raise ValidationError(_("Must be a URL such as https://login.example.com.")) from error


class ProviderId(fields.Field[str]):
    """The id of a provider in the settings."""

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> str:
        if not isinstance(value, str) or not PROVIDER_ID.fullmatch(value):
            raise ValidationError(_("Must be the ID of a provider, such as google."))
        return value


FIELDS: dict[str, AnyField] = {
    "issuer": Issuer(),
    "subject": Line(MAX_SUBJECT, 1),
    "provider": ProviderId(),
    "created_at": PastTimestamp(),
    "last_used_at": PastTimestamp(),
}


def validate_identities(values: Any) -> FileIdentities:
    """Check the list `identities` of a user."""
    if not isinstance(values, list):
        return FileIdentities([], [str(_("Must be a list."))])
    found = FileIdentities([], [])
    for value in values[:MAX_IDENTITIES]:
        if not isinstance(value, Mapping):
            found.unreadable.append(str(_("Must be an object.")))
        elif UNREADABLE in value:
            found.unreadable.append(printable_reason(value[UNREADABLE]))
        else:
            _read(value, found)
    return found


def _read(value: Mapping[str, Any], found: FileIdentities) -> None:
    email = value.get("email")
    present = {name: each for name, each in value.items() if each is not None and name != "email"}
    valid, invalid = load_fields(FIELDS, present)
    invalid |= {name: str(_("Missing.")) for name in REQUIRED if name not in present}
    if invalid:
        found.unreadable.append(join_reasons(invalid))
        return
    is_email = isinstance(email, str) and email_address.key_or_none(email) is not None
    found.identities.append(ImportedIdentity(**valid, email=email if is_email else None))
