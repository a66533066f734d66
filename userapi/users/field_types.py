"""Marshmallow fields made from the table in `fields.py`."""

from typing import Any

from flask_babel import gettext as _
from marshmallow import ValidationError, fields

from userapi.http.fields import Birthday, ConfigurableLine, Flag, Language, Line, Name, Timestamp

from .email_address import normal_form
from .field_definition import Field, Kind
from .fields import USER

AnyField = fields.Field[Any]


class EmailAddress(Line):
    """An email as it was typed, without the blanks and invisible characters around it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(USER["email"].max_length, 1, trim=True, metadata={"format": "email"}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            normal_form(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return text


class ReadOnly(fields.Raw):
    """A read-only field, accepted only to be compared: what GET returned can be sent back."""

    def __init__(self) -> None:
        super().__init__(
            allow_none=True,
            metadata={"description": "Read-only; can be sent unchanged.", "readOnly": True},
        )

    def _deserialize(self, value: Any, *_args: Any, **_options: Any) -> Any:
        if not isinstance(value, str | int | float | None):
            raise ValidationError(_("This field is read-only. Omit it, or send it unchanged."))
        return value


def input_field(field: Field, **options: Any) -> AnyField:
    """The marshmallow field that validates what clients send.

    Args:
        field: of a kind that clients can send.
        options: for the marshmallow field, such as `required`.
    """
    if field.is_own:
        from .own_fields import kinds  # an application without own fields does not need it

        return kinds.input_field(field, **options)
    match field.kind:
        case Kind.EMAIL:
            return EmailAddress(**options)
        case Kind.NAME:
            return Name(field.max_length, formatting=field.allows_formatting, **options)
        case Kind.TEXT:
            return text_field(field, directing=False, **options)
        case Kind.BIRTHDAY:
            return Birthday(**options)
        case Kind.FLAG:
            return Flag(**options)
        case Kind.LANGUAGE:
            return Language(**options)
    raise TypeError(f"Clients cannot send {field.name}, a field of the kind {field.kind.name}.")


def text_field(field: Field, **options: Any) -> Line:
    """The marshmallow field of one line of text; a required one must not be blank."""
    minimum = 1 if field.is_required else 0
    if field.length_setting:
        return ConfigurableLine(field.length_setting, field.max_length, minimum, **options)
    return Line(field.max_length, minimum, formatting=field.allows_formatting, **options)


def output_field(field: Field, **options: Any) -> AnyField:
    """The marshmallow field that describes what the API returns.

    Args:
        field: any but a profile.
        options: for the marshmallow field, such as `required`.
    """
    if field.is_own:
        from .own_fields import kinds

        return kinds.output_field(field, **options)
    if field.is_nullable:
        options["allow_none"] = True
    match field.kind:
        case Kind.ID:
            return fields.Integer(**options)
        case Kind.FLAG:
            return fields.Boolean(**options)
        case Kind.BIRTHDAY:
            return fields.Date(**options)
        case Kind.TIMESTAMP:
            return Timestamp(**options)
        case Kind.URL:
            return fields.String(metadata={"format": "uri"}, **options)
        case Kind.EMAIL if not field.is_nullable:
            return fields.String(metadata={"format": "email"}, **options)
    return fields.String(**options)
