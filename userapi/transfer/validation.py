"""What a record must hold to become a user: the rules of the API, and some for what only a file can tell."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from flask_babel import gettext as _
from marshmallow import ValidationError, fields

from userapi.core import clock
from userapi.http.fields import Flag, Line
from userapi.security import legacy_hashes
from userapi.transfer.bulk_insert import users
from userapi.users import email_address
from userapi.users.field_types import AnyField, input_field, text_field
from userapi.users.fields import PROFILE, PROFILE_FIELDS, USER_FIELDS, Field, Kind
from userapi.users.models import Group

from .options import OnBadProfile
from .records import EMAIL_VERIFIED, PASSWORD_HASH, RIGHTS, printable

#: Above it, JavaScript would read another number; the database would have none left to give.
HIGHEST_ID = 2**53 - 1

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

#: So far may the clock of another machine be ahead.
AHEAD = timedelta(days=1)

#: Longer lists of groups or permissions are a mistake.
MAX_NAMES = 1000


class Refused(ValueError):
    """A record that cannot become a user or a group; the text says why, field by field."""


class Wanted(NamedTuple):
    """A user as a file wants it.

    Attributes:
        user_id: the id it had, or None.
        columns: of `users`, those that the file tells; `email` and `email_key` among them.
        profile: its columns by name, without those that are left out; or None.
        groups: names, or None when the file tells nothing of groups.
        permissions: codenames, likewise.
        altered: what is left out, and why; or nothing.
    """

    user_id: int | None
    columns: dict[str, Any]
    profile: dict[str, Any] | None
    groups: list[str] | None
    permissions: list[str] | None
    altered: str


class RowNumber(fields.Field[int]):
    """An id."""

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if type(value) is not int or not 0 < value <= HIGHEST_ID:
            raise ValidationError(_("Must be a whole number from 1 to %(highest)s.", highest=HIGHEST_ID))
        return value


class PastMoment(fields.Field[datetime]):
    """A moment (ISO 8601) that has been; without a zone it is one in UTC."""

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError(_("Must be a date and time such as 2026-01-31T12:00:00Z.")) from error
        if not EARLIEST <= moment <= clock.now() + AHEAD:
            raise ValidationError(_("Must not be before 1970 or in the future."))
        return moment


class PasswordHash(Line):
    """A hash of a kind and cost that can be checked, or `!…` for none."""

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


GROUP_NAME = Line(Group.__table__.c["name"].type.length, 1)  # type: ignore[attr-defined]


def _imported_field(field: Field) -> AnyField:
    """The marshmallow field for a column of a file. Names are checked further by `SHOWN_NAMES`."""
    match field.kind:
        case Kind.ID:
            return RowNumber()
        case Kind.MOMENT:
            return PastMoment()
        case Kind.NAME:
            return text_field(field)
    return input_field(field)


FIELDS: dict[str, AnyField] = {
    **{field.name: _imported_field(field) for field in USER_FIELDS if field.is_exported},
    EMAIL_VERIFIED: Flag(),
    "groups": Names(GROUP_NAME),
    "permissions": Names(Line(200, 1)),
    PASSWORD_HASH: PasswordHash(users.c.password_hash.type.length, 1),
}
IMPORTED_PROFILE_FIELDS: dict[str, AnyField] = {name: _imported_field(field) for name, field in PROFILE.items()}
#: What a name must be beyond its line; where it is not, the name is left out and the user is taken.
SHOWN_NAMES: dict[str, AnyField] = {
    field.name: input_field(field) for field in USER_FIELDS if field.kind is Kind.NAME and field.allows_formatting
}
NOT_COLUMNS = {"id", EMAIL_VERIFIED, *RIGHTS}

#: Left out where it cannot be taken: people sign in by email, and many have no username.
DISPENSABLE = "username"

#: No profile is stored without these; a text can be empty.
INDISPENSABLE = {field.name for field in PROFILE_FIELDS if field.is_required and field.empty is None}


def check(values: Mapping[str, Any], on_bad_profile: OnBadProfile) -> Wanted:
    """Hold a record against the rules; what is null or empty counts as not told.

    Raises:
        Refused: naming every field that is wrong.
    """
    told = {name: value for name, value in values.items() if value is not None and value != "" and name != "profile"}
    taken, wrong = _load(FIELDS, told)
    left_out = {DISPENSABLE: wrong.pop(DISPENSABLE)} if DISPENSABLE in wrong else {}
    _shown, not_shown = _load(SHOWN_NAMES, {name: taken[name] for name in SHOWN_NAMES if name in taken})
    taken = {name: value for name, value in taken.items() if name not in not_shown}
    left_out |= not_shown
    if "email" not in taken and "email" not in wrong:
        wrong["email"] = str(_("Missing."))
    profile, wrong_in_profile, missing = _profile(values.get("profile"))
    altered = ""
    if on_bad_profile is OnBadProfile.LEAVE_OUT_FIELD and profile is not None and profile.keys() >= INDISPENSABLE:
        left_out |= wrong_in_profile
    elif on_bad_profile is OnBadProfile.LEAVE_OUT_PROFILE and (wrong_in_profile or missing):
        reason = _in_words(wrong_in_profile | missing)
        profile, altered = None, str(_("Imported without the profile. %(reason)s", reason=reason))
    else:
        wrong |= wrong_in_profile | missing
    if wrong:
        raise Refused(_in_words(wrong))
    if left_out:
        altered = f"{_('Skipped fields: %(reason)s', reason=_in_words(left_out))} {altered}".rstrip()
    if taken.get(EMAIL_VERIFIED):
        taken.setdefault("email_verified_at", taken.get("date_joined") or clock.now())
    columns = {name: value for name, value in taken.items() if name not in NOT_COLUMNS}
    columns["email_key"] = email_address.normal_form(taken["email"])
    if taken.get(EMAIL_VERIFIED) is False:
        columns.setdefault("email_verified_at", None)
    return Wanted(taken.get("id"), columns, profile, taken.get("groups"), taken.get("permissions"), altered)


def check_group(values: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The name of a group, and the codenames of its permissions.

    Raises:
        Refused: naming the field that is wrong.
    """
    taken, wrong = _load(
        {"group": GROUP_NAME, "permissions": FIELDS["permissions"]},
        {name: value for name, value in values.items() if value is not None},
    )
    if wrong or "group" not in taken:
        raise Refused(_in_words(wrong) or _("The group has no name."))
    return taken["group"], taken.get("permissions", [])


def _profile(values: Any) -> tuple[dict[str, Any] | None, dict[str, str], dict[str, str]]:
    """The columns of the profile that can be taken, or None where there is none; what is wrong, and what is missing."""
    if values is None:
        return None, {}, {}
    if not isinstance(values, Mapping):
        return None, {"profile": str(_("Must be an object."))}, {}
    told = {name: value for name, value in values.items() if value is not None and value != ""}
    if not told:
        return None, {}, {}
    taken, wrong = _load(IMPORTED_PROFILE_FIELDS, told)
    missing = {
        f"profile.{field.name}": str(_("Missing."))
        for field in PROFILE_FIELDS
        if field.is_required and field.name not in told
    }
    return taken, {f"profile.{name}": reason for name, reason in wrong.items()}, missing


def _load(known: Mapping[str, AnyField], told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    taken: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, value in told.items():
        field = known.get(name)
        if field is None:
            hint = _("Only hashes can be imported, as password_hash.") if name == "password" else _("Unknown field.")
            wrong[printable(name)] = str(hint)
            continue
        try:
            taken[name] = field.deserialize(value)
        except ValidationError as error:
            wrong[name] = _flat(error.messages)
    return taken, wrong


def _flat(messages: Any) -> str:
    if isinstance(messages, dict):
        return _flat(list(messages.values()))
    return " ".join(dict.fromkeys(_flat(each) if not isinstance(each, str) else each for each in messages))


def _in_words(wrong: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in wrong.items())
