"""The shapes of users and profiles, one for each direction, made from the table in `fields.py`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import Schema, ValidationError, fields

from userapi.http.fields import ISO_DATE, Flag, Line, NewPassword, Password, choice_check, length_check, range_check

from . import password_policy
from .field_types import AnyField, EmailAddress, ReadOnly, input_field, output_field
from .fields import (
    EXAMPLE,
    EXAMPLE_PROFILE,
    PERSONAL_FIELDS,
    PROFILE,
    PROFILE_FIELDS,
    READ_ONLY,
    USER,
    USER_FIELDS,
    Field,
    Kind,
    Writer,
)
from .list_queries import ORDERS
from .site_urls import users_url

ORDERINGS = [name for name in ORDERS if name != "id"]


class Refused(fields.Raw):
    """A field that this operation never takes."""

    def __init__(self, reason: str) -> None:
        super().__init__(metadata={"description": str(reason)})
        self.reason = reason

    def _deserialize(self, *_args: Any, **_options: Any) -> NoReturn:
        raise ValidationError(str(self.reason))


class InputTimestamp(fields.Field[datetime]):
    """A day, which begins at midnight UTC, or a moment with its zone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
            if ISO_DATE.fullmatch(value):
                return moment.replace(tzinfo=UTC)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError(_("Not a date (YYYY-MM-DD) or a time (2026-01-31T12:00:00Z).")) from error
        raise ValidationError(_("Add a time zone, such as Z or +01:00."))


def _input_fields(source: Iterable[Field], *, are_required: bool = False) -> dict[str, AnyField]:
    """The marshmallow fields of what clients send.

    Args:
        source: the fields; profiles are left out.
        are_required: whether to require those that a new user or profile needs.
    """
    return {
        field.name: input_field(
            field,
            **({"required": True} if are_required and field.is_required else {}),
            **({"allow_none": True} if field.is_nullable else {}),
            **({"metadata": SET_BY[field.writer]} if field.writer in SET_BY else {}),
        )
        for field in source
        if field.writer is not Writer.NO_ONE and field.kind is not Kind.PROFILE
    }


SET_BY = {
    Writer.STAFF: {"description": "Can only be set by staff.", "x-set-by": "staff"},
    Writer.SUPERUSER: {"description": "Can only be set by superusers.", "x-set-by": "superusers"},
}

#: What every user may send besides email and profile, which each schema requires in its own way.
_OPTIONAL = [field for field in USER_FIELDS if not field.is_required]
_OWN_OPTIONAL = [field for field in _OPTIONAL if field.writer is Writer.OWNER]


class NewProfileSchema(Schema):
    """A profile with every field that it needs."""

    class Meta:
        include: ClassVar = _input_fields(PROFILE_FIELDS, are_required=True)


class ProfileEditSchema(Schema):
    """Some fields of a profile."""

    class Meta:
        include: ClassVar = _input_fields(PROFILE_FIELDS)


class ProfileSchema(Schema):
    """A profile as the API returns it."""

    class Meta:
        include: ClassVar = {field.name: output_field(field, required=True) for field in PROFILE_FIELDS}


class NewUserSchema(Schema):
    """What opens an account."""

    EXAMPLE: ClassVar = {
        "email": "wren@example.com",
        "password": "velvet tram outside 7",
        "profile": EXAMPLE_PROFILE,
        "first_name": "Wren",
        "last_name": "Okafor",
    }

    email = EmailAddress(required=True)
    password = NewPassword(required=True)
    profile = fields.Nested(NewProfileSchema, required=True)

    class Meta:
        include: ClassVar = _input_fields(_OWN_OPTIONAL)

    def handle_error(self, error: ValidationError, data: Any, **_options: Any) -> None:
        """Judge the password too, so that one answer names every field that is wrong."""
        sent = data if isinstance(data, dict) else {}
        personal = [text for name in PERSONAL_FIELDS if isinstance(text := sent.get(name), str)]
        password_policy.add_errors(error, "password", personal)


class _EditSchema(Schema):
    """The fields that PUT and PATCH share."""

    class Meta:
        include: ClassVar = {
            **_input_fields(_OPTIONAL),
            "password": Refused(lazy_gettext("To change the password, use POST /userapi/auth/password/change/.")),
            "current_password": Password(
                metadata={
                    "format": "password",
                    "description": "Your own password. Required when you change your own email.",
                }
            ),
            **{name: ReadOnly() for name in READ_ONLY},
        }


class UserReplacementSchema(_EditSchema):
    """A whole user: every required field, and of the others those that shall change."""

    EXAMPLE: ClassVar = {"email": "wren@example.com", "profile": EXAMPLE_PROFILE, "first_name": "Wren"}

    email = EmailAddress(required=True)
    profile = fields.Nested(NewProfileSchema, required=True, allow_none=True)


class UserEditSchema(_EditSchema):
    """What shall change of a user; the profile is merged."""

    EXAMPLE: ClassVar = {"first_name": "Wren", "profile": {"city": "Bristol"}}

    email = EmailAddress()
    profile = fields.Nested(ProfileEditSchema, allow_none=True)


def _output_fields() -> dict[str, AnyField]:
    shown = {field.name: field for field in USER_FIELDS if field.is_shown}
    made = {name: output_field(field, required=True) for name, field in shown.items()}
    return made | {
        "url": fields.Function(lambda row: f"{users_url()}{row.id}/", required=True, metadata={"format": "uri"}),
        "profile": fields.Nested(ProfileSchema, required=True, allow_none=True),
    }


class UserSchema(Schema):
    """A user as the API returns it."""

    EXAMPLE: ClassVar = EXAMPLE

    class Meta:
        include: ClassVar = _output_fields()


class UserListSchema(Schema):
    """The filters, order and page of a list of users."""

    limit = fields.Integer(
        load_default=50,
        validate=range_check(1, 200),
        metadata={"description": "The maximum number of users on a page."},
    )
    cursor = fields.String(
        validate=length_check(maximum=2000),
        metadata={"description": "The cursor from the URL in `next` or `previous`."},
    )
    search = Line(
        USER["email"].max_length,
        metadata={
            "description": "Search words. Each must be contained in the email, first name or last name; a word of one "
            "or two characters must be the beginning of one of these."
        },
    )
    is_active = Flag(
        metadata={"description": "Whether to list only active users (`true`) or only inactive users (`false`)."}
    )
    is_staff = Flag(metadata={"description": "Whether to list only staff (`true`) or only other users (`false`)."})
    country = Line(
        PROFILE["country"].max_length,
        metadata={"description": "Only users with exactly this country in their profile."},
    )
    joined_after = InputTimestamp(
        metadata={"type": "string", "description": "Only users who joined on or after this date or time."}
    )
    joined_before = InputTimestamp(
        metadata={"type": "string", "description": "Only users who joined before this date or time."}
    )
    ordering = fields.String(
        validate=choice_check([*ORDERINGS, *(f"-{name}" for name in ORDERINGS)]),
        metadata={"description": "The field to sort by, with `-` in front for descending order. The default is `id`."},
    )
    count = Flag(
        load_default=False, metadata={"description": "Whether to include `count`, the number of all matching users."}
    )


class UserPageSchema(Schema):
    """A page of users."""

    EXAMPLE: ClassVar = {
        "next": "https://accounts.example.com/userapi/users/?limit=1&cursor=eyJpZCI6N30",
        "previous": None,
        "results": [UserSchema.EXAMPLE],
    }

    next = fields.String(required=True, allow_none=True, metadata={"format": "uri"})
    previous = fields.String(required=True, allow_none=True, metadata={"format": "uri"})
    results = fields.List(fields.Nested(UserSchema), required=True)
    count = fields.Integer(metadata={"description": "Only included if requested."})
