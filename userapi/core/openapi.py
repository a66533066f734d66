"""The API layer: a blueprint whose decorators are the contract of a route, and the OpenAPI document made from them."""

import re
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from typing import Any, TypeVar

import flask_smorest
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, current_app
from marshmallow import Schema, fields
from werkzeug.routing import BaseConverter, ValidationError

from . import context
from .bodies import Parser
from .fields import Birthday, Flag, Language, Line, Name, Password
from .negotiation import is_for_programs, preferred
from .problems import MEDIA_TYPE, NotAcceptable, NotSignedIn, PermissionDenied, Problem
from .rendering import Computed

View = TypeVar("View", bound=Callable[..., Any])

MAXIMUM_ROW_ID = 2**63 - 1

#: What every operation may answer besides: a body too large or of another type, too many requests, a part away.
OTHERWISE = "Any other refusal, in the same shape."

#: A part of a rule that is an id: `<row_id:user_id>`.
ID_IN_PATH = re.compile(r"<\w+:((\w+)_id)>")


class Access(Enum):
    """Who may call an operation. The gate in `userapi.auth` checks it before the route runs."""

    OPEN = "anyone; a token that comes along must be good"
    UNCHECKED = "anyone; the route looks at the credentials itself"
    SIGNED_IN = "whoever is signed in"
    OWNER_OR_STAFF = "the user whose id is in the path, and staff"
    STAFF = "staff"


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose every operation is closed to strangers unless it says otherwise."""

    ARGUMENTS_PARSER = Parser()

    @staticmethod
    def open_to_all(view: View) -> View:
        """Anyone may call; a bad token is refused all the same."""
        return _mark(view, Access.OPEN)

    @staticmethod
    def checks_credentials_itself(view: View) -> View:
        """Anyone may call, and whatever token comes along is the route's own matter."""
        return _mark(view, Access.UNCHECKED)

    @staticmethod
    def owner_or_staff(view: View) -> View:
        """Only the user whose `user_id` is in the path, and staff."""
        return _mark(view, Access.OWNER_OR_STAFF)

    @staticmethod
    def staff_only(view: View) -> View:
        """Only staff."""
        return _mark(view, Access.STAFF)

    def arguments(self, schema: type[Schema], **options: Any) -> Any:
        """Check the body (or `location="query"`) against a schema and pass the result on.

        An instance is made here once: a class would be made anew with every request. The schema of a body has an
        `EXAMPLE` of what it takes; a body that needs no field may be left out.
        """
        shape = schema()
        needed = any(field.required for field in shape.load_fields.values())
        return super().arguments(shape, required=needed, example=getattr(schema, "EXAMPLE", None), **options)

    def response(self, *args: Any, **options: Any) -> Callable[[View], View]:
        """Document the answer; the view renders it itself and is called as it is."""
        return _documented_by(super().response(*args, **options))

    def alt_response(self, *args: Any, **options: Any) -> Callable[[View], View]:
        """Document another answer."""
        return _documented_by(super().alt_response(*args, **options))

    def refuses(self, *problems: type[Problem]) -> Callable[[View], View]:
        """Document the refusals that callers should expect."""
        by_status: dict[int, list[type[Problem]]] = defaultdict(list)
        for problem in problems:
            by_status[problem.status].append(problem)

        def decorate(view: View) -> View:
            for status, kinds in by_status.items():
                text = "; ".join(f"`{kind.code}`: {kind.detail or kind.title}" for kind in kinds).replace("<", r"\<")
                alternative = self.alt_response(status, schema=ProblemSchema, content_type=MEDIA_TYPE, description=text)
                view = alternative(view)
            return view

        return decorate

    def leads_to(self, status: int, *operations: str, **where: dict[str, str]) -> Callable[[View], View]:
        """Document what an answer is good for (OpenAPI 3.1, section 4.8.20).

        Args:
            status: of the answer.
            operations: the names of what can be called next.
            where: `parameters` or `requestBody` of those calls, as expressions: `{"user_id": "$response.body#/id"}`.
        """
        links = {name: {"operationId": name, **where} for name in operations}
        return _documented_by(self.doc(responses={status: {"links": links}}))

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Register an operation, closed unless marked, with its access in the document."""
        access = getattr(view_func, "access", None) or Access.SIGNED_IN
        view_func.access = access
        view_func._apidoc = deepcopy(getattr(view_func, "_apidoc", {}))
        manual = view_func._apidoc.setdefault("manual_doc", {})
        open_operation = access in (Access.OPEN, Access.UNCHECKED)
        manual["security"] = [] if open_operation else [{"bearer": []}, {"cookie": []}]
        manual["description"] = f"Who may call: {access.value}."
        refusals: tuple[type[Problem], ...] = ()
        if not open_operation:
            refusals = (NotSignedIn,) if access is Access.SIGNED_IN else (NotSignedIn, PermissionDenied)
        view_func = self.alt_response("default", schema=ProblemSchema, content_type=MEDIA_TYPE, description=OTHERWISE)(
            self.refuses(*refusals)(view_func)
        )
        options["parameters"] = [
            {"in": "path", "name": name, "description": f"The id of the {thing}."}
            for name, thing in ID_IN_PATH.findall(rule)
        ]
        super().add_url_rule(rule, endpoint, view_func, *args, **options)

    def register_views_in_doc(self, api: Any, app: Flask, spec: Any, *, name: str, parameters: Any) -> None:
        """Name each operation after its function, so that generated clients read well."""
        for endpoint, documented in self._docs.items():
            for method, operation in documented.items():
                if method != "parameters":
                    prefix = "" if name == self.name else f"{name}_"
                    operation.setdefault("manual_doc", {})["operationId"] = f"{prefix}{endpoint}"
        super().register_views_in_doc(api, app, spec, name=name, parameters=parameters)


def _documented_by(decorator: Callable[[Any], Any]) -> Callable[[View], View]:
    """Take from a decorator of flask-smorest's what it writes down, without the call it wraps around each request."""

    def decorate(view: View) -> View:
        documented = decorator(view)
        view._apidoc = documented._apidoc  # type: ignore[attr-defined]
        return view

    return decorate


def _mark(view: View, access: Access) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


class ProblemSchema(Schema):
    """A problem document (RFC 9457)."""

    type = fields.String(required=True, metadata={"format": "uri-reference", "example": "about:blank"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"description": "A stable word for programs."})
    errors = fields.Dict(metadata={"description": "Messages by field, nested as the input was."})


class RowIdConverter(BaseConverter):
    """A row number in a path, in its one spelling: no sign, no leading zero, ASCII digits, 63 bits."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """The number."""
        number = int(value)
        if number > MAXIMUM_ROW_ID:
            raise ValidationError
        return number


class Api(flask_smorest.Api):
    """flask-smorest's registry, with our problem documents in place of its errors."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """None: `userapi.core.problems` renders every refusal."""

    def _register_responses(self) -> None:
        self.DEFAULT_RESPONSE_CONTENT_TYPE = MEDIA_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def _register_pagination_header(self) -> None:
        """None: pages are told by `next` and `previous`."""


DESCRIPTION = """Accounts with a profile each, JSON Web Tokens that other services verify, sessions that end at once.

Every write also takes `application/x-www-form-urlencoded` and `multipart/form-data`, with nested fields written
`profile.city`. Every refusal is a problem document (RFC 9457) with a stable `code`.

To try the calls here: sign in with `POST /api-token-auth/`, copy `access_token`, press *Authorize*."""


def configure(app: Flask) -> Api:
    """Make the registry that blueprints are added to, and serve its document and its reading page."""
    app.config.update(
        API_TITLE="User accounts",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
        OPENAPI_SWAGGER_UI_PATH="docs/",
        OPENAPI_SWAGGER_UI_URL="/static/vendor/swagger-ui/",
    )
    app.before_request(_refuse_unacceptable)
    app.url_map.converters["row_id"] = RowIdConverter
    plugin = MarshmallowPlugin(schema_name_resolver=_schema_name)
    api = Api(
        app,
        spec_kwargs={
            "marshmallow_plugin": plugin,
            "info": {"description": DESCRIPTION},
            "servers": [{"url": "/"}],
            "components": {
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                    "cookie": {
                        "type": "apiKey",
                        "in": "cookie",
                        "name": app.config["JWT_ACCESS_COOKIE_NAME"],
                    },
                }
            },
        },
    )
    api.register_converter(RowIdConverter, lambda _converter: {"type": "integer", "minimum": 1, "format": "int64"})
    for field, kind in (
        (Line, fields.String),
        (Name, fields.String),
        (Language, fields.String),
        (Password, fields.String),
        (Birthday, fields.Date),
        (Flag, fields.Boolean),
    ):
        api.register_field(field, kind)
    api.register_field(Computed, "string", None)
    return api


def _schema_name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _refuse_unacceptable() -> None:
    """Let an operation run for callers who take JSON or, as browsers do, HTML.

    Raises:
        NotAcceptable: the caller takes neither (RFC 9110, section 12.5.1).
    """
    if preferred() is not None:
        return
    asked = context.asked()
    view = current_app.view_functions.get(asked.endpoint or "")
    if hasattr(view, "access") and asked.method != "OPTIONS" and not is_for_programs():
        raise NotAcceptable
