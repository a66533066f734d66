"""The shapes of users and profiles, one for each direction, made from the table in `fields.py`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn

from flask import has_app_context
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import Schema, ValidationError, fields, pre_load, validates_schema

from userapi.core import context
from userapi.http.fields import ISO_DATE, Flag, Line, NewPassword, Password, choice_check, length_check, range_check

from . import missing_fields, password_policy, registration, terms
from .declaration import EXAMPLE_NEW_PROFILE, EXAMPLE_PROFILE, SET_BY, DeclaredProfile, get_declaration
from .field_definition import Field, Kind, Writer
from .field_types import AnyField, EmailAddress, ReadOnly, input_field, output_field
from .fields import PERSONAL_FIELDS, PROFILE, READ_ONLY, USER, USER_FIELDS
from .list_queries import EVERY_KIND, ORDERS
from .models import AccountKind
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


def _input_fields(source: Iterable[Field]) -> dict[str, AnyField]:
    """The marshmallow fields of what clients send; profiles are left out."""
    return {
        field.name: input_field(
            field,
            **({"allow_none": True} if field.is_nullable else {}),
            **({"metadata": SET_BY[field.writer]} if field.writer in SET_BY else {}),
        )
        for field in source
        if field.writer is not Writer.NO_ONE and field.kind is not Kind.PROFILE
    }


#: What every user may send besides email and profile, which each schema requires in its own way.
_OPTIONAL = [field for field in USER_FIELDS if not field.is_required]
_OWN_OPTIONAL = [field for field in _OPTIONAL if field.writer is Writer.OWNER]


class WithTerms(Schema):
    """A registration. If the settings of the application name terms, it says whether its user accepts them."""

    @property
    def fields(self) -> dict[str, AnyField]:
        """For the API document."""
        return self._add_terms(self._own_fields)

    @fields.setter
    def fields(self, fields: dict[str, AnyField]) -> None:
        self._own_fields = fields

    @property
    def load_fields(self) -> dict[str, AnyField]:
        """For requests."""
        return self._add_terms(self._own_load_fields)

    @load_fields.setter
    def load_fields(self, fields: dict[str, AnyField]) -> None:
        self._own_load_fields = fields

    @validates_schema(skip_on_field_errors=False)
    def _require_terms(self, data: dict[str, Any], **_options: Any) -> None:
        """Reject a registration that does not accept the terms, together with what else is wrong with it."""
        is_missing = terms.are_in_force() and data.get(terms.ACCEPTED) is not True
        if is_missing and not registration.may_add_users(context.current_actor()):
            raise ValidationError(str(terms.NOT_ACCEPTED), terms.ACCEPTED)

    @staticmethod
    def _add_terms(fields: dict[str, AnyField]) -> dict[str, AnyField]:
        return {**fields, **terms.FIELDS} if terms.are_in_force() else fields


class NewUserSchema(WithTerms):
    """What opens an account."""

    EXAMPLE: ClassVar = {
        "email": "wren@example.com",
        "password": "velvet tram outside 7",
        "profile": EXAMPLE_NEW_PROFILE,
        "first_name": "Wren",
        "last_name": "Okafor",
    }

    email = EmailAddress(required=True)
    password = NewPassword(required=True)
    profile = DeclaredProfile("new_profile", required=True)

    class Meta:
        include: ClassVar = _input_fields(_OWN_OPTIONAL)

    def handle_error(self, error: ValidationError, data: Any, **_options: Any) -> None:
        """Judge the password too, so that one answer names every field that is wrong."""
        sent = data if isinstance(data, dict) else {}
        personal = [text for name in PERSONAL_FIELDS if isinstance(text := sent.get(name), str)]
        password_policy.add_errors(error, "password", personal)


class NewUserWithoutPasswordSchema(WithTerms):
    """A registration with another service, which may provide the email."""

    EXAMPLE: ClassVar = {"email": "wren@example.com", "profile": EXAMPLE_NEW_PROFILE, "first_name": "Wren"}

    email = EmailAddress()
    profile = DeclaredProfile("new_profile", required=True)

    class Meta:
        include: ClassVar = _input_fields(_OWN_OPTIONAL)


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
            # Only the own document shows it, but users may send that to the URL of their account too.
            **{name: ReadOnly() for name in (*READ_ONLY, "has_password")},
        }

    @pre_load
    def _drop_missing(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Ignore the list of missing fields, so that clients can send back what they read."""
        if missing_fields.MISSING in data and get_declaration().has_prompts:
            return {name: value for name, value in data.items() if name != missing_fields.MISSING}
        return data


class UserReplacementSchema(_EditSchema):
    """A whole user: every required field, and of the others those that shall change."""

    EXAMPLE: ClassVar = {"email": "wren@example.com", "profile": EXAMPLE_NEW_PROFILE, "first_name": "Wren"}

    email = EmailAddress(required=True)
    profile = DeclaredProfile("new_profile", required=True, allow_none=True)


class UserEditSchema(_EditSchema):
    """What shall change of a user; the profile is merged."""

    EXAMPLE: ClassVar = {"first_name": "Wren", "profile": {"city": "Bristol"}}

    email = EmailAddress()
    profile = DeclaredProfile("profile_edit", allow_none=True)


def _output_fields() -> dict[str, AnyField]:
    shown = {field.name: field for field in USER_FIELDS if field.is_shown}
    made = {name: output_field(field, required=True) for name, field in shown.items()}
    return made | {
        "url": fields.Function(lambda row: f"{users_url()}{row.id}/", required=True, metadata={"format": "uri"}),
        "profile": DeclaredProfile("profile", required=True, allow_none=True),
    }


class UserSchema(Schema):
    """A user as the API returns it."""

    EXAMPLE: ClassVar = {field.name: field.example for field in USER_FIELDS if field.is_shown} | {
        "profile": EXAMPLE_PROFILE
    }

    class Meta:
        include: ClassVar = _output_fields()


class OwnUserSchema(UserSchema):
    """A user as the API returns it to that user."""

    EXAMPLE: ClassVar = {**UserSchema.EXAMPLE, "has_password": True}

    has_password = fields.Boolean(
        required=True, metadata={"description": "Whether a password signs you in; otherwise you can set one."}
    )


class _DeclaredFilters(Schema):
    """A query with the filters that the current application declares, besides its own parameters.

    They are looked up where marshmallow and apispec look for the fields, because one schema serves all applications of
    the process, and there is none while the module is imported.
    """

    @property
    def fields(self) -> dict[str, AnyField]:
        """For the API document, which is public: without the fields that only staff see."""
        return {**self._own_fields, **(get_declaration().of_owners.filters if has_app_context() else {})}

    @fields.setter
    def fields(self, fields: dict[str, AnyField]) -> None:
        self._own_fields = fields

    @property
    def load_fields(self) -> dict[str, AnyField]:
        """For requests."""
        filters = get_declaration().filters if has_app_context() else {}
        return {**self._own_load_fields, **filters} if filters else self._own_load_fields

    @load_fields.setter
    def load_fields(self, fields: dict[str, AnyField]) -> None:
        self._own_load_fields = fields


class UserListSchema(_DeclaredFilters):
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
    kind = fields.String(
        validate=choice_check([*AccountKind, EVERY_KIND]),
        metadata={
            "description": "The kind of account: `person`, `service` (service accounts) or `all`. The default is "
            "`person`."
        },
    )
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


class ProfileFieldsSchema(Schema):
    """JSON Schema of a profile."""

    EXAMPLE: ClassVar = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Profile",
        "type": "object",
        "properties": {"city": {"title": "City", "type": "string", "maxLength": 50, "examples": ["Boston"]}},
        "required": ["city"],
        "additionalProperties": False,
    }

    class Meta:
        include: ClassVar = {
            "$schema": fields.String(
                required=True, metadata={"format": "uri", "description": "The version of JSON Schema."}
            ),
            "title": fields.String(required=True, metadata={"description": "The name of the whole profile."}),
            "type": fields.String(required=True, metadata={"description": "Always `object`."}),
            "properties": fields.Dict(
                required=True, metadata={"description": "The schema of each field that a new user may send, in order."}
            ),
            "required": fields.List(
                fields.String(), required=True, metadata={"description": "The names of the fields that must be sent."}
            ),
            "additionalProperties": fields.Boolean(required=True, metadata={"description": "Always false."}),
        }
