"""Request bodies and query strings, read strictly: JSON, or a form whose nested fields are written `profile.city`."""

import codecs
from collections.abc import Callable, Collection, Iterable
from typing import Any, NoReturn
from urllib.parse import unquote_to_bytes

import orjson
from flask import Flask, Request, current_app
from flask_babel import gettext as _
from marshmallow import RAISE, Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from userapi.core import context
from userapi.core.problems import MalformedBody, Problem, ValidationFailed

from .fields import Flag
from .form_bodies import StrictRequest

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")

#: Query parameters that every path accepts: the format of the response and its language.
COMMON_ARGUMENTS = ("format", "lang")

#: More fields than any schema has; in a body with more, unknown fields are not named.
MAX_FIELDS = 100

#: The key in the environment of a request for the exception that stopped the server from reading the body.
BODY_ERROR_KEY = "userapi.body_error"

#: The name of the function that changes bodies before they are checked among the extensions of the application.
ADAPTER = "userapi-body-adapter"

#: Flags as Python programs write them in forms and queries.
PYTHON_FLAGS = {"True": "true", "False": "false"}


def configure(app: Flask) -> None:
    """Read forms and queries strictly, on every endpoint and page."""
    app.request_class = StrictRequest
    app.before_request(_reject_unreadable_request)


def allow_larger_body(app: Flask, path: str, size: int) -> None:
    """Let the server read larger bodies at one path; the route itself sets `request.max_content_length`."""
    app.extensions.setdefault("userapi-uploads", {})[path.rstrip("/")] = size


def allow_repeated_names(app: Flask, names: Iterable[str]) -> None:
    """Let forms send these names more than once, as browsers do with checkboxes: the value is a list then."""
    app.extensions["userapi-repeated-names"] = frozenset(names)


def set_adapter(app: Flask, adapt: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Let a function change the bodies of operations before they are checked, for clients that write them otherwise."""
    app.extensions[ADAPTER] = adapt


def get_body_limit(app: Flask, path: str) -> int:
    """The maximum size of a body at a path, in bytes; larger bodies are not read."""
    uploads: dict[str, int] = app.extensions.get("userapi-uploads", {})
    usual: int = app.config["MAX_CONTENT_LENGTH"]
    return uploads.get(path.rstrip("/"), usual)


def _reject_unreadable_request() -> None:
    """Reject a request with an unreadable body or a query string that is not UTF-8.

    In such a query Werkzeug would leave `%E9` as it is.

    Raises:
        Problem: 400.
        Exception: the error that occurred while the server read the body.
    """
    environ = context.current_request().environ
    if BODY_ERROR_KEY in environ:
        raise environ[BODY_ERROR_KEY]
    query: str = environ.get("QUERY_STRING", "")
    if query.isascii() and "%" not in query:
        return
    try:
        unquote_to_bytes(query.encode("latin1")).decode()
    except UnicodeDecodeError as error:
        raise Problem(_("The query string is not valid UTF-8. Encode it as UTF-8 and send it again.")) from error


class RequestParser(FlaskParser):
    """Loads request data with schemas; unknown fields are rejected by name."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": RAISE, "query": RAISE}

    def get_default_request(self) -> Request:
        """The current request without Flask's proxy, because it is used a dozen times."""
        return context.current_request()

    def load_json(self, request: Request, schema: Schema) -> Any:
        """The body as nested plain data, whichever of the three media types it has.

        The CSRF token of a form is checked elsewhere; an empty text in a form is null where the field allows it.
        """
        data = read_body(request)
        if request.mimetype in FORM_TYPES:
            data.pop("csrf_token", None)
            data = {name: _convert_form_value(schema, name, value) for name, value in data.items()}
        adapt = context.current_application().extensions.get(ADAPTER)
        return data if adapt is None else adapt(data)

    def load_querystring(self, request: Request, schema: Schema) -> Any:
        """The query string as plain data, without the parameters that every path accepts."""
        return {
            name: _convert_form_value(schema, name, value)
            for name, value in _single_values(request.args).items()
            if name not in COMMON_ARGUMENTS
        }

    def handle_error(self, error: ValidationError, *_args: Any, **_options: Any) -> NoReturn:
        """Raise the messages by field, without the location of the data."""
        (messages,) = error.messages_dict.values()
        raise ValidationFailed(errors=messages)


def _convert_form_value(schema: Schema, name: str, value: Any) -> Any:
    """A text from a form or a query, converted to the JSON value of the field."""
    field = schema.load_fields.get(name)
    if value == "" and isinstance(field, fields.String) and field.allow_none:
        return None
    if isinstance(value, str) and isinstance(field, Flag):
        return PYTHON_FLAGS.get(value, value)
    if isinstance(value, dict) and isinstance(field, fields.Nested):
        inner = field.schema.load_fields
        return {
            name: PYTHON_FLAGS.get(each, each) if isinstance(each, str) and isinstance(inner.get(name), Flag) else each
            for name, each in value.items()
        }
    return value


def read_body(request: Request) -> dict[str, Any]:
    """The body of a request as an object.

    Raises:
        RequestEntityTooLarge: over the limit of the settings.
        UnsupportedMediaType: for a media type other than the three, or a compressed body.
        MalformedBody: the body does not match its media type, is not UTF-8, or is not an object.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType
    mimetype = request.mimetype
    if mimetype in FORM_TYPES:
        if len(request.form) + len(request.files) > MAX_FIELDS:
            raise MalformedBody(_("The body has more than %(most)s fields.", most=MAX_FIELDS))
        if next(iter(request.form), "").lstrip().startswith(("{", "[")):
            raise MalformedBody(
                _("This looks like JSON sent as a form. Send it with the header Content-Type: application/json.")
            )
        allowed = current_app.extensions.get("userapi-repeated-names", frozenset())
        return _unflatten({**_single_values(request.form, allowed), **_single_values(request.files)})
    raw = request.get_data(cache=True)
    if request.content_length is None and len(raw) == request.max_content_length:
        raise RequestEntityTooLarge  # Werkzeug silently truncates a body without a length at the limit
    if not raw:
        return {}
    if mimetype != "application/json":
        raise UnsupportedMediaType
    return _json_object(raw)


def _json_object(raw: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(raw.removeprefix(codecs.BOM_UTF8))  # RFC 8259, section 8.1, allows ignoring it
    except orjson.JSONDecodeError as error:
        raise MalformedBody(
            _("The body is not valid JSON: %(why)s (line %(line)s).", why=error.msg, line=error.lineno)
        ) from error
    if not isinstance(data, dict):
        raise MalformedBody(_('The body must be a JSON object, such as {"email": …}.'))
    if any(len(part) > MAX_FIELDS for part in (data, *data.values()) if isinstance(part, dict)):
        raise MalformedBody(_("The body has more than %(most)s fields.", most=MAX_FIELDS))
    return data


def _single_values(values: MultiDict[Any, Any], allowed: Collection[str] = ()) -> dict[str, Any]:
    """The values by name; a list where a name that may be repeated is."""
    repeated = {name: found for name, found in values.lists() if len(found) > 1}
    denied = [name for name in repeated if name not in allowed]
    if denied:
        raise ValidationFailed(errors={name: [_("Sent more than once.")] for name in denied[:MAX_FIELDS]})
    return values.to_dict() | repeated


def _unflatten(flat: dict[str, Any]) -> dict[str, Any]:
    """`{"profile.city": "Bath"}` as `{"profile": {"city": "Bath"}}`."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        outer, dot, inner = name.partition(".")
        if not dot:
            nested[name] = value
        elif outer not in flat:
            nested.setdefault(outer, {})[inner] = value
    return nested
