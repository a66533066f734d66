"""The OpenAPI document, built from the blueprints."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from threading import RLock
from typing import Any

import flask_smorest
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, current_app
from marshmallow import Schema, fields

from userapi import VERSION
from userapi.core.problems import Problem
from userapi.http.errors import HTTP_CODES, MEDIA_TYPE

from .documentation import ProblemCode, ProblemSchema
from .examples import resolve_examples
from .fields import (
    MAX_NEW_PASSWORD_LENGTH,
    Birthday,
    ConfigurableLine,
    Flag,
    Language,
    Line,
    Name,
    NewPassword,
    Password,
)
from .openapi import RowIdConverter

#: Where an application stores the packages whose problems its document lists, if there are others.
PACKAGES = "userapi-problem-packages"
OURS = frozenset({"userapi"})


class Api(flask_smorest.Api):
    """flask-smorest's registry, with our problem documents in place of its errors."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask, **options: Any) -> None:
        self._spec: APISpec | None = None
        self._parts: list[Callable[[Any], None]] = []
        self._writing = RLock()
        super().__init__(app, **options)

    @property
    def spec(self) -> APISpec | None:
        """The document.

        It is written when it is first read: that took a third of the time to create an application, and servers and
        commands rarely need it.
        """
        self.write_document()
        return self._spec

    @spec.setter
    def spec(self, spec: APISpec | None) -> None:
        self._spec = spec

    def document(self, part: Callable[[Any], None]) -> None:
        """Add a part to the document, after those that were added before."""
        self._parts.append(part)

    def write_document(self) -> None:
        """Write the parts that are not in the document yet."""
        with self._writing:
            while self._parts:
                with self._app.app_context():
                    self._parts.pop(0)(self._spec)

    def register_blueprint(self, blp: Any, **options: Any) -> None:
        """Register a blueprint, and add its operations to the document."""
        name = options.get("name", blp.name)
        self._app.extensions["flask-smorest"]["blp_name_to_api"][name] = self
        self._app.register_blueprint(blp, **options)
        self.document(partial(self._describe, blp, name))

    def _describe(self, blueprint: Any, name: str, spec: Any) -> None:
        blueprint.register_views_in_doc(self, self._app, spec, name=name, parameters=None)
        spec.tag({"name": name, "description": blueprint.description})

    def _register_error_handlers(self) -> None:
        """Do nothing: `userapi.http.errors` renders all errors."""

    def _register_responses(self) -> None:
        """Describe a response for each status, to which operations refer, but not before the document is written."""
        self.document(self._describe_responses)

    def _describe_responses(self, _spec: Any) -> None:
        self.DEFAULT_RESPONSE_CONTENT_TYPE = MEDIA_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def _register_pagination_header(self) -> None:
        """Do nothing: lists name their neighbouring pages in `next` and `previous`."""


DESCRIPTION = """User accounts with profiles, JSON Web Tokens that other services can verify, and sessions you can end.

Send request bodies as `application/json`, `application/x-www-form-urlencoded` or `multipart/form-data`. In forms, write
nested fields as `profile.city`. Every error is a problem document (RFC 9457) with a stable `code`. The three
`/api-token-…/` paths are also available below `/userapi/`.

To try the operations, open [/docs/try/](/docs/try/). Select *Authorize* there and enter your email and password, or
sign in at [/login/](/login/) in the same browser."""


SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "oauth2": {
        "type": "oauth2",
        "description": "Sign in with email (as `username`) and password. Each request then sends the access token.",
        "flows": {"password": {"tokenUrl": "/api-token-auth/", "refreshUrl": "/api-token-refresh/", "scopes": {}}},
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token from `POST /api-token-auth/`, sent as `Authorization: Bearer <token>`.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "description": "The cookie of a signed-in browser. Requests that change something also need the header "
        "`X-CSRF-TOKEN` with the value of the cookie `csrf_token`. `/docs/try/` adds it.",
    },
    "api_key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key from `POST /userapi/auth/keys/`, sent as `Authorization: Bearer <key>`. The names "
        "beside it are the scopes that the key needs. Operations without this scheme are closed to API keys.",
    },
}


def configure(app: Flask, descriptions: Mapping[str, str]) -> Api:
    """Create the registry of blueprints, and serve its document.

    Args:
        app: the application, with settings and languages.
        descriptions: descriptions of fields that have none, by name.
    """
    app.config.update(
        API_TITLE=app.config["SITE_NAME"] or "User accounts",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    plugin = _Plugin(app, descriptions)
    api = Api(
        app,
        spec_kwargs={
            "marshmallow_plugin": plugin,
            "info": {"description": DESCRIPTION},
            "servers": [{"url": "/"}],
            "components": {
                "securitySchemes": {
                    **SECURITY_SCHEMES,
                    "cookie": {**SECURITY_SCHEMES["cookie"], "name": app.config["JWT_ACCESS_COOKIE_NAME"]},
                }
            },
        },
    )
    api.register_converter(RowIdConverter, lambda _converter: {"type": "integer", "minimum": 1, "format": "int64"})
    for field, kind in (
        (Line, fields.String),
        (ConfigurableLine, fields.String),
        (Name, fields.String),
        (Language, fields.String),
        (Password, fields.String),
        (NewPassword, fields.String),
        (ProblemCode, fields.String),
        (Birthday, fields.Date),
        (Flag, fields.Boolean),
    ):
        api.register_field(field, kind)
    api.register_field(fields.Function, "string", None)
    return api


def describe_schema(schema: Schema) -> dict[str, Any]:
    """A schema without nested ones as JSON Schema (2020-12), as the document of the current application has it."""
    api = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    described: dict[str, Any] = api.ma_plugin.converter.schema2jsonschema(schema)
    return described


#: The packages whose schemas keep their names in the document.
OWN_PACKAGES = ("userapi", "marshmallow")


class _Plugin(MarshmallowPlugin):
    """Converts schemas to JSON Schema with the limits and languages of the application."""

    def __init__(self, app: Flask, descriptions: Mapping[str, str]) -> None:
        super().__init__(schema_name_resolver=_schema_name)
        self._attributes = partial(_attributes, app, descriptions)

    def init_spec(self, spec: APISpec) -> None:
        super().init_spec(spec)
        self.converter.add_attribute_function(  # type: ignore[union-attr]
            lambda _converter, field, **_options: self._attributes(field)
        )

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **options: Any
    ) -> None:
        super().operation_helper(path, operations, **options)
        if operations:
            operations.update({method: resolve_examples(operation) for method, operation in operations.items()})


def _schema_name(schema: Any) -> str:
    """The name of a schema in the document; in those of extensions, the package comes first, so that none is ours."""
    kind = schema if isinstance(schema, type) else type(schema)
    package = kind.__module__.partition(".")[0]
    prefix = "" if package in OWN_PACKAGES else package.replace("_", " ").title().replace(" ", "")
    return prefix + kind.__name__.removesuffix("Schema")


def _attributes(app: Flask, descriptions: Mapping[str, str], field: fields.Field[Any]) -> dict[str, Any]:
    """The properties of a field that apispec does not find."""
    found: dict[str, Any] = {}
    if "description" not in field.metadata and str(field.name) in descriptions:
        found["description"] = descriptions[str(field.name)]
    if isinstance(field, Language):
        found["enum"] = [*app.extensions["userapi-languages"], *([None] if field.allow_none else [])]
    elif isinstance(field, ConfigurableLine):
        found["maxLength"] = app.config[field.setting]
    elif isinstance(field, NewPassword):
        found |= {"minLength": app.config["PASSWORD_MIN_LENGTH"], "maxLength": MAX_NEW_PASSWORD_LENGTH}
    elif isinstance(field, ProblemCode):
        found["enum"] = problem_codes(app.extensions.get(PACKAGES, OURS))
    return found


def problem_codes(packages: Collection[str]) -> list[str]:
    """Every code that a problem of these packages may have."""
    kinds, codes = [Problem], set(HTTP_CODES.values())
    while kinds:
        kind = kinds.pop()
        if kind.__module__.partition(".")[0] in packages:
            codes.add(kind.code)
        kinds += kind.__subclasses__()
    return sorted(codes)
