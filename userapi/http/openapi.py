"""The API layer: a blueprint whose decorators are the contract of a route; the OpenAPI document is made from them."""

import re
from collections import defaultdict
from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from functools import partial
from typing import Any, TypeVar

import flask_smorest
from flask import Flask, current_app
from marshmallow import Schema, fields
from werkzeug.routing import BaseConverter, ValidationError

from userapi.core import context
from userapi.core.problems import (
    NotAcceptable,
    NotSignedIn,
    PermissionDenied,
    Problem,
    ProofNeeded,
    SecondStepRequired,
    Unavailable,
    to_example_document,
)

from .bodies import RequestParser
from .errors import MEDIA_TYPE
from .negotiation import get_preferred_media_type, is_program_path

View = TypeVar("View", bound=Callable[..., Any])

MAX_ROW_ID = 2**63 - 1

#: What every operation may also return: body too large, unsupported media type, too many requests, or a dependency
#: unavailable.
OTHER_ERRORS = "Any other error, in the same format."

#: A placeholder for an ID in a URL rule: `<row_id:user_id>`.
ID_IN_PATH = re.compile(r"<(\w+):((\w+)_id)>")

#: Example ids for operations, by converter.
EXAMPLE_IDS: dict[str, Any] = {"row_id": 7, "uuid": "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35"}

#: The ways to authenticate; any of them is sufficient.
SECURITY_ALTERNATIVES: list[dict[str, list[str]]] = [{"oauth2": []}, {"bearer": []}, {"cookie": []}]


#: What `Blueprint.fresh` requires.
FRESH = "Requires a recent proof of identity: `POST /userapi/auth/prove/`."


class Access(Enum):
    """Who may call an operation. `userapi.auth.authentication` checks it before the route runs."""

    OPEN = "Public. If you send a bearer token, it must be valid."
    UNCHECKED = "Public. The operation checks any credentials itself."
    SIGNED_IN = "Requires sign-in."
    OWNER_OR_STAFF = "Requires sign-in as the user in the path, or as staff with the permission `{permission}`."
    STAFF = "Requires sign-in as staff with the permission `{permission}`."


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose operations require sign-in unless they are marked otherwise."""

    ARGUMENTS_PARSER = RequestParser()

    @staticmethod
    def jwt_required() -> Callable[[View], View]:
        """Only callers with a valid access token.

        Like the four marks below, this is a mark for `userapi.auth.authentication`. It does what Flask-JWT-Extended's
        decorator of this name does, before the body is read, and verifies no token twice (decision 0038).
        """
        return partial(_mark_access, access=Access.SIGNED_IN)

    @staticmethod
    def open_to_all(view: View) -> View:
        """Anyone may call, as with `jwt_required(optional=True)`.

        An invalid bearer token is still rejected; an invalid cookie is ignored.
        """
        return _mark_access(view, Access.OPEN)

    @staticmethod
    def checks_credentials_itself(view: View) -> View:
        """Anyone may call; the route itself checks any token that is sent."""
        return _mark_access(view, Access.UNCHECKED)

    @staticmethod
    def owner_or_staff(permission: str) -> Callable[[View], View]:
        """Requires sign-in as the user whose `user_id` is in the path, or as staff with a permission."""
        return partial(_mark_access, access=Access.OWNER_OR_STAFF, permission=permission)

    @staticmethod
    def staff_only(permission: str) -> Callable[[View], View]:
        """Requires sign-in as staff with a permission."""
        return partial(_mark_access, access=Access.STAFF, permission=permission)

    @staticmethod
    def fresh(view: View) -> View:
        """Requires a recent proof of identity, besides what the other marks require."""
        view.fresh = True  # type: ignore[attr-defined]
        return view

    @staticmethod
    def open_to_set_up(view: View) -> View:
        """Also for callers who have to set up or give a second step before they may do anything else."""
        view.open_to_set_up = True  # type: ignore[attr-defined]
        return view

    def arguments(self, schema: type[Schema], **options: Any) -> Any:
        """Check the body (or `location="query"`) against a schema and pass the result on.

        The schema is instantiated once here, because a class would be instantiated for every request. The schema of a
        body has an `EXAMPLE`; a body without required fields may be left out.
        """
        shape = schema()
        needed = any(field.required for field in shape.load_fields.values())
        return super().arguments(shape, required=needed, example=getattr(schema, "EXAMPLE", None), **options)

    def response(self, status: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """Document the response. The view is not wrapped, because it renders the response itself.

        A schema has an `EXAMPLE`, unless the operation has its own `example`.
        """
        options.setdefault("example", getattr(schema, "EXAMPLE", None))
        return _copy_documentation(super().response(status, schema, **options))

    def alt_response(self, *args: Any, **options: Any) -> Callable[[View], View]:
        """Document another response."""
        return _copy_documentation(super().alt_response(*args, **options))

    def raises(self, *problems: type[Problem]) -> Callable[[View], View]:
        """Document the errors that callers should expect."""
        by_status: dict[int, list[type[Problem]]] = defaultdict(list)
        for problem in problems:
            by_status[problem.status].append(problem)

        def decorate(view: View) -> View:
            for status, kinds in by_status.items():
                text = "; ".join(f"`{kind.code}`: {kind.detail or kind.title}" for kind in kinds).replace("<", r"\<")
                alternative = self.alt_response(
                    status,
                    schema=ProblemSchema,
                    content_type=MEDIA_TYPE,
                    description=text,
                    examples={
                        kind.code: {"summary": str(kind.title), "value": to_example_document(kind)} for kind in kinds
                    },
                )
                view = alternative(view)
            return view

        return decorate

    def leads_to(self, status: int, *operations: str, **where: dict[str, str]) -> Callable[[View], View]:
        """Document the links of a response (OpenAPI 3.1, section 4.8.20).

        Args:
            status: of the response.
            operations: the ids of the operations that can follow.
            where: their `parameters` or `requestBody` as expressions: `{"user_id": "$response.body#/id"}`.
        """
        links = {name: {"operationId": name, **where} for name in operations}
        return _copy_documentation(self.doc(responses={status: {"links": links}}))

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any, **options: Any
    ) -> None:
        """Register an operation, which requires sign-in unless marked otherwise, and document its access."""
        access = getattr(view_func, "access", None) or Access.SIGNED_IN
        view_func.access = access
        view_func._apidoc = deepcopy(getattr(view_func, "_apidoc", {}))
        manual = view_func._apidoc.setdefault("manual_doc", {})
        open_operation = access in (Access.OPEN, Access.UNCHECKED)
        manual["security"] = [] if open_operation else deepcopy(SECURITY_ALTERNATIVES)
        permission = getattr(view_func, "permission", "")
        first_line = (view_func.__doc__ or "").strip().partition("\n")[0]
        title, _dot, more = first_line.partition(". ")
        manual["summary"] = f"{title.removesuffix('.')}."
        is_fresh = getattr(view_func, "fresh", False)
        texts = (more, FRESH if is_fresh else "", access.value.format(permission=permission))
        manual["description"] = "\n\n".join(filter(None, texts))
        errors: tuple[type[Problem], ...] = ()
        if not open_operation:
            errors = (NotSignedIn,) if access is Access.SIGNED_IN else (NotSignedIn, PermissionDenied)
        if not open_operation and not getattr(view_func, "open_to_set_up", False):
            errors = (*errors, SecondStepRequired)
        if is_fresh:
            errors = (*errors, ProofNeeded)
        otherwise = self.alt_response(
            "default",
            schema=ProblemSchema,
            content_type=MEDIA_TYPE,
            description=OTHER_ERRORS,
            example=to_example_document(Unavailable),
        )
        view_func = otherwise(self.raises(*errors)(view_func))
        options["parameters"] = [
            {"in": "path", "name": name, "description": f"The id of the {thing}.", "example": EXAMPLE_IDS[kind]}
            for kind, name, thing in ID_IN_PATH.findall(rule)
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


def _copy_documentation(decorator: Callable[[Any], Any]) -> Callable[[View], View]:
    """Take the documentation from a flask-smorest decorator, but not its wrapper around each request."""

    def decorate(view: View) -> View:
        documented = decorator(view)
        view._apidoc = documented._apidoc  # type: ignore[attr-defined]
        return view

    return decorate


def _mark_access(view: View, access: Access, permission: str = "") -> View:
    view.access, view.permission = access, permission  # type: ignore[attr-defined]
    return view


class ProblemCode(fields.String):
    """The code of a problem; the document lists them all."""


class ProblemSchema(Schema):
    """A problem document (RFC 9457)."""

    type = fields.String(
        required=True,
        metadata={"description": "Always `about:blank`.", "format": "uri-reference", "example": "about:blank"},
    )
    title = fields.String(
        required=True, metadata={"description": "A short summary of the problem, the same for each `code`."}
    )
    status = fields.Integer(required=True, metadata={"description": "The HTTP status code."})
    detail = fields.String(
        required=True, metadata={"description": "What went wrong in this request, and what to do next."}
    )
    code = ProblemCode(required=True, metadata={"description": "A stable code for programs."})
    errors = fields.Dict(
        metadata={"description": "Messages by field, nested like the request. `_schema` is about no single field."}
    )
    ways = fields.List(
        fields.String(),
        metadata={
            "description": "With `proof_needed` and `second_step_needed`: how the user can give the proof or do the "
            "second step, the strongest way first: `passkey`, `totp`, `recovery_code`, `password`."
        },
    )
    acr = fields.String(metadata={"description": "With `proof_needed`: the level that the proof must reach."})
    setup_url = fields.String(
        metadata={"description": "With `second_step_required`: the page on which users set up a second step."}
    )
    max_age = fields.Integer(metadata={"description": "With `proof_needed`: the maximum age of the proof in seconds."})
    mfa_token = fields.String(metadata={"description": "With `second_step_needed`: sent with the second step."})
    expires_in = fields.Integer(
        metadata={"description": "With `second_step_needed`: seconds until the `mfa_token` expires."}
    )


class RowIdConverter(BaseConverter):
    """A row number in a path, in its one spelling: no sign, no leading zero, ASCII digits, 63 bits."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        """The number."""
        number = int(value)
        if number > MAX_ROW_ID:
            raise ValidationError
        return number


def configure(app: Flask) -> None:
    """Check the Accept header before every operation, and register the `row_id` converter."""
    app.before_request(_reject_unacceptable)
    app.url_map.converters["row_id"] = RowIdConverter


def _reject_unacceptable() -> None:
    """Let an operation run for callers that accept JSON or, as browsers do, HTML.

    Raises:
        NotAcceptable: the caller accepts neither (RFC 9110, section 12.5.1).
    """
    if get_preferred_media_type() is not None:
        return
    request = context.current_request()
    view = current_app.view_functions.get(request.endpoint or "")
    if hasattr(view, "access") and request.method != "OPTIONS" and not is_program_path():
        raise NotAcceptable
