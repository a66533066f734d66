"""Marshmallow fields for the kinds of own fields. Each one deserializes to exactly the JSON value that is stored.

They accept JSON and the texts of forms and CSV files: an empty text means that there is no value.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import ValidationError, fields, validate

from userapi.http.fields import (
    ISO_DATE,
    Flag,
    Line,
    choice_check,
    range_check,
)
from userapi.http.fields import Paragraph as PlainParagraph
from userapi.users import email_address

from . import countries, phone_numbers

#: JavaScript reads greater numbers inexactly.
MAX_INTEGER = 2**53 - 1

#: A number of at most 20 digits before the point and 10 after it.
DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,10})?")

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,16}", re.ASCII)

#: Web addresses; names without a dot are for networks of companies.
WEB_URL = validate.URL(schemes={"http", "https"}, require_tld=False)


class EmptyIsNone(fields.Field[Any]):
    """A field for which an empty text, as forms send it, is no value."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.allow_none:  # an empty text is accepted, so the API document must not rule it out
            self.validators = [check for check in self.validators if getattr(check, "min", None) != 1]

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The value that is stored; None for an empty text, if the field can have no value."""
        return super().deserialize(None if value == "" and self.allow_none else value, attr, data, **kwargs)


class OneLine(EmptyIsNone, Line):
    """One line of text with a visible character."""

    def __init__(self, maximum: int, **options: Any) -> None:
        super().__init__(maximum, 1, directing=False, **options)


class Paragraph(EmptyIsNone, PlainParagraph):
    """Text with a visible character and line breaks."""


class WholeNumber(EmptyIsNone, fields.Integer):
    """A whole number that every JSON parser reads exactly."""

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=range_check(-MAX_INTEGER, MAX_INTEGER), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value):
            return int(value)
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return value


class DecimalText(EmptyIsNone, fields.String):
    """A decimal number as a text, which keeps its digits."""

    def __init__(self, **options: Any) -> None:
        pattern = f"^({DECIMAL.pattern})?$" if options.get("allow_none") else f"^{DECIMAL.pattern}$"
        options["metadata"] = {"pattern": pattern, **(options.get("metadata") or {})}
        super().__init__(**options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not DECIMAL.fullmatch(text):
            raise ValidationError(
                _("Must be a number such as 12.50, with at most 20 digits before the point and 10 after it.")
            )
        return text


class Day(EmptyIsNone, fields.Date):
    """A date as YYYY-MM-DD."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str) and ISO_DATE.fullmatch(value):
            try:
                return date.fromisoformat(value).isoformat()
            except ValueError:
                pass
        raise ValidationError(_("Not a valid date; use YYYY-MM-DD."))


class Moment(EmptyIsNone, fields.DateTime):
    """A time with its zone, stored in UTC as `2026-11-29T08:30:00Z`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            moment = datetime.fromisoformat(value)
            if ISO_DATE.fullmatch(value):
                raise ValueError("no time")
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        except (TypeError, ValueError, OverflowError) as error:
            raise ValidationError(_("Must be a date and time such as 2026-01-31T12:00:00Z.")) from error
        raise ValidationError(_("Add a time zone, such as Z or +01:00."))


class YesOrNo(EmptyIsNone, Flag):
    """True or false."""


class Choice(EmptyIsNone, fields.String):
    """One of the options."""

    def __init__(self, options: Sequence[str], **more: Any) -> None:
        super().__init__(validate=choice_check(list(options)), **more)


class Choices(EmptyIsNone, fields.List[str]):
    """Some of the options, stored in the order of the options; none of them is no value.

    A form sends one text or several, a CSV file a JSON array.
    """

    def __init__(self, options: Sequence[str], **more: Any) -> None:
        self.options = tuple(options)
        super().__init__(fields.String(validate=choice_check(list(options))), **more)

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """The chosen options, or None."""
        if isinstance(value, str) and value:
            value = _parse_array(value)
        return super().deserialize(None if value == [] and self.allow_none else value, attr, data, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and not value:
            raise ValidationError(_("Select at least one option."))
        if isinstance(value, list) and len(value) > len(self.options):
            raise ValidationError(_("Must not have more than %(most)s entries.", most=len(self.options)))
        if not isinstance(value, list):
            raise self.make_error("invalid")
        for option in value:
            if not isinstance(option, str) or option not in self.options:
                raise ValidationError(_("Must be one of: {choices}.").format(choices=", ".join(self.options)))
        return [option for option in self.options if option in value]


def _parse_array(text: str) -> Any:
    if not text.startswith("["):
        return [text]
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text  # the message says that it is no list


class Email(EmptyIsNone, Line):
    """An email address as it was typed, with the rules for that of an account."""

    def __init__(self, **options: Any) -> None:
        super().__init__(email_address.MAX_LENGTH, 1, trim=True, directing=False, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            email_address.normal_form(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return text


class WebUrl(EmptyIsNone, Line):
    """The URL of a web page, with http or https."""

    def __init__(self, maximum: int, **options: Any) -> None:
        super().__init__(maximum, 1, formatting=False, trim=True, directing=False, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            WEB_URL(text[: self.maximum])
        except ValidationError as error:
            raise ValidationError(_("Must be a URL that begins with https:// or http://.")) from error
        return text


class Phone(EmptyIsNone, Line):
    """A phone number with its country code, stored in the form of E.164."""

    def __init__(self, **options: Any) -> None:
        super().__init__(phone_numbers.MAX_TYPED_LENGTH, 1, trim=True, directing=False, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return phone_numbers.to_e164(text[: self.maximum])
        except ValueError as error:
            raise ValidationError(
                _("Must be a phone number with its country code, such as +44 20 7946 0018.")
            ) from error


class Country(EmptyIsNone, fields.String):
    """An alpha-2 code of ISO 3166-1 in upper case."""

    def __init__(self, **options: Any) -> None:
        check = validate.OneOf(countries.country_codes(), error=lazy_gettext("Must be a country code such as DE."))
        super().__init__(validate=check, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        return text.upper() if len(text) == 2 and text.isascii() else text
