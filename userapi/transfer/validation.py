"""Checks whether a record is a valid user or group: the rules of the API, and some for fields that only files have."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flask_babel import gettext as _
from marshmallow import ValidationError, fields

from userapi.core import clock
from userapi.http.fields import Flag, Line
from userapi.security import legacy_hashes
from userapi.transfer.bulk_insert import users
from userapi.users import email_address, groups
from userapi.users.field_definition import Field, Kind
from userapi.users.field_types import AnyField, input_field, text_field
from userapi.users.fields import USER_FIELDS

from .field_loading import KnownFields, join_reasons, load_fields
from .options import OnBadProfile
from .profile_validation import ProfileRules
from .records import EMAIL_VERIFIED, IDENTITIES, MEMBERSHIPS, PASSWORD_HASH, SECOND_FACTORS
from .usual_values import EARLIEST_TIME, read_hash, read_past_time

#: JavaScript reads greater numbers inexactly, and the database needs higher ids for new users.
MAX_ID = 2**53 - 1

#: How far the clock of another machine may be ahead.
MAX_CLOCK_DIFFERENCE = timedelta(days=1)

#: The number of groups or permissions of one user. More are a mistake in the file.
MAX_NAMES = 1000


class RecordRejected(ValueError):
    """A record is not a valid user or group. The text names every invalid field and the reason."""


class ImportedUser(NamedTuple):
    """A user in a file.

    Attributes:
        user_id: the id in the file, or None.
        columns: the columns of `users` that the file has, always with `email` and `email_key`.
        profile: the columns of the profile, without invalid values; own fields together in `extra`; or None.
        groups: names of groups, or None if the file does not say.
        permissions: codenames of permissions, or None if the file does not say.
        left_out: which invalid parts of the record are not imported, and why; or an empty text.
    """

    user_id: int | None
    columns: dict[str, Any]
    profile: dict[str, Any] | None
    groups: list[str] | None
    permissions: list[str] | None
    left_out: str


class RowNumber(fields.Field[int]):
    """An id."""

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if type(value) is not int or not 0 < value <= MAX_ID:
            raise ValidationError(_("Must be a whole number from 1 to %(highest)s.", highest=MAX_ID))
        return value


def read_id(value: Any) -> int | None:
    """An id that is a number: what most files have."""
    return value if type(value) is int and 0 < value <= MAX_ID else None


def read_no_names(value: Any) -> list[str] | None:
    """The groups or permissions of a user who has none: what most users have."""
    return [] if type(value) is list and not value else None


class PastTimestamp(fields.Field[datetime]):
    """A time in the past (ISO 8601); without a time zone it is in UTC."""

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError(_("Must be a date and time such as 2026-01-31T12:00:00Z.")) from error
        if not EARLIEST_TIME <= moment <= clock.now() + MAX_CLOCK_DIFFERENCE:
            raise ValidationError(_("Must not be before 1970 or in the future."))
        return moment


class PasswordHash(Line):
    """A hash whose algorithm and cost are supported, or `!…` for an account without a password."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.startswith("!"):
            try:
                legacy_hashes.parse_legacy_hash(text)
            except legacy_hashes.UnusableHash as error:
                raise ValidationError(str(error)) from error
        return text


class Names(fields.List[str]):
    """Names of groups or permissions."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[str | None]:
        if isinstance(value, list) and len(value) > MAX_NAMES:
            raise ValidationError(_("Must not have more than %(most)s entries.", most=MAX_NAMES))
        return list(dict.fromkeys(super()._deserialize(value, attr, data, **kwargs)))


def _imported_field(field: Field) -> AnyField:
    """The marshmallow field for a column of a file. Names are checked again by `SHOWN_NAMES`."""
    match field.kind:
        case Kind.ID:
            return RowNumber()
        case Kind.TIMESTAMP:
            return PastTimestamp()
        case Kind.NAME:
            return text_field(field)
    return input_field(field)


FIELDS: dict[str, AnyField] = {
    **{field.name: _imported_field(field) for field in USER_FIELDS if field.is_exported},
    EMAIL_VERIFIED: Flag(),
    "groups": Names(groups.name_field),
    "permissions": Names(Line(200, 1)),
    PASSWORD_HASH: PasswordHash(users.c.password_hash.type.length, 1),
}
KNOWN_FIELDS = KnownFields(
    FIELDS,
    {"id": read_id, PASSWORD_HASH: read_hash, "groups": read_no_names, "permissions": read_no_names}
    | {name: read_past_time for name, field in FIELDS.items() if type(field) is PastTimestamp},
)

#: Names that must be visible; other ones are left out.
SHOWN_NAMES = KnownFields(
    {field.name: input_field(field) for field in USER_FIELDS if field.kind is Kind.NAME and field.allows_formatting}
)
#: The fields of a user that are objects or lists of objects, and checked by their own rules.
OBJECTS = ("profile", SECOND_FACTORS, IDENTITIES)
NOT_COLUMNS = {"id", EMAIL_VERIFIED, *MEMBERSHIPS}

#: Left out if it is invalid: users sign in by email, and many accounts have no username.
OPTIONAL_FIELD = "username"


def validate_user(values: Mapping[str, Any], on_bad_profile: OnBadProfile, profile_rules: ProfileRules) -> ImportedUser:
    """Check a record of a user. Null and empty values count as missing.

    Args:
        values: the fields of the record.
        on_bad_profile: what to do with an invalid profile.
        profile_rules: the rules for profiles.

    Raises:
        RecordRejected: fields are invalid.
    """
    present = {name: value for name, value in values.items() if value not in (None, "") and name not in OBJECTS}
    valid, invalid = KNOWN_FIELDS.load(present)
    left_out = {OPTIONAL_FIELD: invalid.pop(OPTIONAL_FIELD)} if OPTIONAL_FIELD in invalid else {}
    _visible, invisible = SHOWN_NAMES.load({name: valid[name] for name in SHOWN_NAMES.fields if name in valid})
    for name, reason in invisible.items():
        del valid[name]
        left_out[name] = reason
    if "email" not in valid and "email" not in invalid:
        invalid["email"] = str(_("Missing."))
    profile, invalid_in_profile, missing = profile_rules.load(values.get("profile"))
    omissions = ""
    if on_bad_profile is OnBadProfile.LEAVE_OUT_FIELD and (profile or {}).keys() >= profile_rules.never_empty:
        left_out |= invalid_in_profile
    elif on_bad_profile is OnBadProfile.LEAVE_OUT_PROFILE and (invalid_in_profile or missing):
        reason = join_reasons(invalid_in_profile | missing)
        profile, omissions = None, str(_("Imported without the profile. %(reason)s", reason=reason))
    else:
        invalid |= invalid_in_profile | missing
    if invalid:
        raise RecordRejected(join_reasons(invalid))
    if left_out:
        skipped = _("Skipped fields: %(reason)s", reason=join_reasons(left_out))
        omissions = f"{skipped} {omissions}".rstrip()
    return ImportedUser(
        valid.get("id"), _to_columns(valid), profile, valid.get("groups"), valid.get("permissions"), omissions
    )


def validate_group(values: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Check a record of a group; returns its name, and the codenames of its permissions.

    Raises:
        RecordRejected: fields are invalid.
    """
    present = {name: value for name, value in values.items() if value is not None}
    valid, invalid = load_fields({"group": groups.name_field, "permissions": FIELDS["permissions"]}, present)
    if invalid or "group" not in valid:
        raise RecordRejected(join_reasons(invalid) or _("The group has no name."))
    return valid["group"], valid.get("permissions", [])


def _to_columns(valid: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in valid.items() if name not in NOT_COLUMNS}
    columns["email_key"] = email_address.normal_form(valid["email"])
    if valid.get(EMAIL_VERIFIED):
        columns.setdefault("email_verified_at", valid.get("date_joined") or clock.now())
    elif EMAIL_VERIFIED in valid:
        columns.setdefault("email_verified_at", None)
    return columns
