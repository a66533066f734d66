"""The shapes of users and profiles, one for each direction."""

from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import Schema, ValidationError, fields

from userapi.http.fields import (
    ISO_DATE,
    Birthday,
    Flag,
    Instant,
    Language,
    Line,
    LineOfSetting,
    Name,
    NewPassword,
    Password,
    between,
    length,
    one_of,
)

from . import password_policy
from .email_address import MAXIMUM_LENGTH, normal_form
from .list_queries import ORDERS
from .models import ZIP_ROOM, ZIP_SETTING

ORDERINGS = [name for name in ORDERS if name != "id"]


class EmailAddress(Line):
    """An email as it was typed, without the blanks and invisible characters around it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(MAXIMUM_LENGTH, 1, trim=True, metadata={"format": "email"}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            normal_form(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return text


class Echo(fields.Raw):
    """A read-only field, taken only to be compared: what GET gave can be sent back."""

    def __init__(self) -> None:
        super().__init__(
            allow_none=True,
            metadata={"description": "Read-only; can be sent unchanged.", "readOnly": True},
        )

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> Any:
        if not isinstance(value, str | int | float | None):
            raise ValidationError(_("This field is read-only. Omit it, or send it unchanged."))
        return value


class Refused(fields.Raw):
    """A field that this operation never takes."""

    def __init__(self, reason: str) -> None:
        super().__init__(metadata={"description": str(reason)})
        self.reason = reason

    def _deserialize(self, *_args: Any, **_options: Any) -> NoReturn:
        raise ValidationError(str(self.reason))


class Moment(fields.Field[datetime]):
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


EXAMPLE_PROFILE = {
    "title": "Ms",
    "dob": "1990-12-10",
    "address": "31 Spring Street",
    "country": "United States",
    "city": "Boston",
    "zip": "02110",
}


class NewProfileSchema(Schema):
    """A profile whose every field is given."""

    title = Line(5, 1, required=True)
    dob = Birthday(required=True)
    address = Line(255, 1, required=True)
    country = Line(50, 1, required=True)
    city = Line(50, 1, required=True)
    zip = LineOfSetting(ZIP_SETTING, ZIP_ROOM, 1, required=True)


class ProfileEditSchema(Schema):
    """Some fields of a profile."""

    title = Line(5, 1)
    dob = Birthday()
    address = Line(255, 1)
    country = Line(50, 1)
    city = Line(50, 1)
    zip = LineOfSetting(ZIP_SETTING, ZIP_ROOM, 1)


class ProfileSchema(Schema):
    """A profile as it is shown."""

    title = fields.String(required=True)
    dob = fields.Date(required=True)
    address = fields.String(required=True)
    country = fields.String(required=True)
    city = fields.String(required=True)
    zip = fields.String(required=True)


#: Which a password must not be close to.
PERSONAL_FIELDS = ("email", "username", "first_name", "last_name")


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
    username = Name(50, formatting=False, allow_none=True)
    first_name = Name(150)
    last_name = Name(150)
    language = Language(allow_none=True)

    def handle_error(self, error: ValidationError, data: Any, **_options: Any) -> None:
        """Judge the password too, so that one answer names every field that is wrong."""
        sent = data if isinstance(data, dict) else {}
        personal = [text for name in PERSONAL_FIELDS if isinstance(text := sent.get(name), str)]
        password_policy.add_errors(error, "password", personal)


class _EditSchema(Schema):
    """The fields that PUT and PATCH share."""

    username = Name(50, formatting=False, allow_none=True)
    first_name = Name(150)
    last_name = Name(150)
    language = Language(allow_none=True)
    is_active = Flag(metadata={"description": "Can only be set by staff.", "x-set-by": "staff"})
    is_staff = Flag(metadata={"description": "Can only be set by superusers.", "x-set-by": "superusers"})
    is_superuser = Flag(metadata={"description": "Can only be set by superusers.", "x-set-by": "superusers"})
    password = Refused(lazy_gettext("To change the password, use POST /userapi/auth/password/change/."))
    current_password = Password(
        metadata={"format": "password", "description": "Your own password. Required when you change your own email."}
    )
    url = Echo()
    id = Echo()
    email_verified = Echo()
    pending_email = Echo()
    date_joined = Echo()
    last_login = Echo()


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


def users_url() -> str:
    """The absolute URL below which each user's own URL lies."""
    return f"{current_app.config['SITE_URL']}/userapi/users/"


class UserSchema(Schema):
    """A user as it is shown."""

    EXAMPLE: ClassVar = {
        "url": "https://accounts.example.com/userapi/users/7/",
        "id": 7,
        "email": "wren@example.com",
        "username": None,
        "first_name": "Wren",
        "last_name": "Okafor",
        "profile": EXAMPLE_PROFILE,
        "is_active": True,
        "is_staff": False,
        "is_superuser": False,
        "email_verified": True,
        "pending_email": None,
        "language": "en",
        "date_joined": "2026-11-24T18:37:50.155589Z",
        "last_login": "2026-11-29T08:05:12.482913Z",
    }

    url = fields.Function(lambda row: f"{users_url()}{row.id}/", required=True, metadata={"format": "uri"})
    id = fields.Integer(required=True)
    email = fields.String(required=True, metadata={"format": "email"})
    username = fields.String(required=True, allow_none=True)
    first_name = fields.String(required=True)
    last_name = fields.String(required=True)
    profile = fields.Nested(ProfileSchema, required=True, allow_none=True)
    is_active = fields.Boolean(required=True)
    is_staff = fields.Boolean(required=True)
    is_superuser = fields.Boolean(required=True)
    email_verified = fields.Boolean(required=True)
    pending_email = fields.String(required=True, allow_none=True)
    language = fields.String(required=True, allow_none=True)
    date_joined = Instant(required=True)
    last_login = Instant(required=True, allow_none=True)


class UserListSchema(Schema):
    """What a list of users can be asked for."""

    limit = fields.Integer(
        load_default=50, validate=between(1, 200), metadata={"description": "The maximum number of users on a page."}
    )
    cursor = fields.String(
        validate=length(maximum=2000), metadata={"description": "The cursor from the URL in `next` or `previous`."}
    )
    search = Line(
        254,
        metadata={"description": "Search words. Each must match the beginning of the email, first name or last name."},
    )
    is_active = Flag(
        metadata={"description": "Whether to list only active users (`true`) or only inactive users (`false`)."}
    )
    is_staff = Flag(metadata={"description": "Whether to list only staff (`true`) or only other users (`false`)."})
    country = Line(50, metadata={"description": "Only users with exactly this country in their profile."})
    joined_after = Moment(
        metadata={"type": "string", "description": "Only users who joined on or after this date or time."}
    )
    joined_before = Moment(
        metadata={"type": "string", "description": "Only users who joined before this date or time."}
    )
    ordering = fields.String(
        validate=one_of([*ORDERINGS, *(f"-{name}" for name in ORDERINGS)]),
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
