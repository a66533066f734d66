"""What the decorators of a route say in the OpenAPI document.

A decorator only adds a step to `view.documentation`. The steps run when the document is first read: they took an eighth
of the processor time of a start, and servers and commands rarely need the document.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextvars import Context
from functools import cache, partial
from threading import RLock
from typing import Any, TypeVar

import flask_smorest
from flask import Flask
from marshmallow import Schema, fields

from userapi.core.problems import Problem, to_example_document

from .bodies import RequestParser
from .errors import MEDIA_TYPE

View = TypeVar("View", bound=Callable[..., Any])

#: A decorator of flask-smorest, which adds to the `_apidoc` of a view; and what makes one when it is needed.
Decorator = Callable[[Any], Any]
Step = Callable[[], Decorator]

#: A blueprint belongs to every application in the process, and two of them may be about to write their documents.
_writing = RLock()


class DocumentedBlueprint(flask_smorest.Blueprint):
    """A blueprint whose documentation is made when the document is first read."""

    ARGUMENTS_PARSER = RequestParser()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._undocumented: list[Callable[[], None]] = []

    def arguments(self, schema: type[Schema], *, location: str = "json") -> Callable[[Any], Any]:
        """Check the body (or `location="query"`) against a schema and pass the result on.

        The schema is instantiated once, at the first request, because a class would be instantiated for every request.
        The schema of a body has an `EXAMPLE`; a body without required fields may be left out.
        """
        get_shape = cache(lambda: _without_copies(schema()))
        describe = super().arguments

        def step() -> Decorator:
            shape = get_shape()
            needed = any(field.required for field in shape.load_fields.values())
            example = getattr(schema, "EXAMPLE", None)
            return describe(shape, location=location, required=needed, example=example)  # type: ignore[no-any-return]

        check = self.ARGUMENTS_PARSER.use_args(lambda _request: get_shape(), location=location)
        return lambda view: add_step(check(view), step)

    def response(self, status: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """Document the response. The view is not wrapped, because it renders the response itself.

        A schema has an `EXAMPLE`, unless the operation has its own `example`.
        """
        options.setdefault("example", getattr(schema, "EXAMPLE", None))
        describe = super().response
        return partial(
            add_step,
            step=lambda: describe(status, _shared(schema) if isinstance(schema, type) else schema, **options),
        )

    def alt_response(self, status: int | str, **options: Any) -> Callable[[View], View]:
        """Document another response."""
        return partial(add_step, step=partial(super().alt_response, status, **options))

    def doc(self, **options: Any) -> Callable[[View], View]:
        """Document anything else."""
        return partial(add_step, step=partial(super().doc, **options))

    def raises(self, *problems: type[Problem]) -> Callable[[View], View]:
        """Document the errors that callers should expect."""
        return partial(add_step, step=partial(self.describe_problems, *problems))

    def leads_to(self, status: int, *operations: str, **where: dict[str, str]) -> Callable[[View], View]:
        """Document the links of a response (OpenAPI 3.1, section 4.8.20).

        Args:
            status: of the response.
            operations: the ids of the operations that can follow.
            where: their `parameters` or `requestBody` as expressions: `{"user_id": "$response.body#/id"}`.
        """
        return self.doc(responses={status: {"links": {name: {"operationId": name, **where} for name in operations}}})

    def describe_problems(self, *problems: type[Problem]) -> Decorator:
        """Describe the responses of problems by status."""
        by_status: dict[int, list[type[Problem]]] = defaultdict(list)
        for problem in problems:
            by_status[problem.status].append(problem)
        return apply_all(self._describe_status(status, kinds) for status, kinds in by_status.items())

    def _describe_status(self, status: int, kinds: Iterable[type[Problem]]) -> Decorator:
        text = "; ".join(f"`{kind.code}`: {kind.detail or kind.title}" for kind in kinds).replace("<", r"\<")
        examples = {kind.code: {"summary": str(kind.title), "value": to_example_document(kind)} for kind in kinds}
        return self.describe_problem(status, text, examples=examples)

    def describe_problem(self, status: int | str, text: str, **options: Any) -> Decorator:
        """Describe the response of a problem.

        Args:
            status: or `default`.
            text: the description.
            options: `example` or `examples`.
        """
        schema = _shared(ProblemSchema)
        described: Decorator = super().alt_response(
            status, schema=schema, content_type=MEDIA_TYPE, description=text, **options
        )
        return described

    def register_views_in_doc(self, api: Any, app: Flask, spec: Any, *, name: str, parameters: Any) -> None:
        """Name each operation after its function, so that generated clients read well."""
        with _writing:
            for document in self._undocumented:
                Context().run(document)  # in English, whatever the language of the current request
            self._undocumented.clear()
            for endpoint, documented in self._docs.items():
                for method, operation in documented.items():
                    if method != "parameters":
                        prefix = "" if name == self.name else f"{name}_"
                        operation.setdefault("manual_doc", {})["operationId"] = f"{prefix}{endpoint}"
            super().register_views_in_doc(api, app, spec, name=name, parameters=parameters)

    def _store_endpoint_docs(self, endpoint: str, obj: Any, *args: Any, **options: Any) -> None:
        self._undocumented.append(partial(self._document, endpoint, obj, *args, **options))

    def _document(self, endpoint: str, view: Any, *args: Any, **options: Any) -> None:
        view._apidoc = {}
        apply_all(step() for step in view.documentation)(view)
        super()._store_endpoint_docs(endpoint, view, *args, **options)


def add_step(view: View, step: Step) -> View:
    """Add a step to the documentation of a view."""
    view.documentation = (*getattr(view, "documentation", ()), step)  # type: ignore[attr-defined]
    return view


def apply_all(decorators: Iterable[Decorator]) -> Decorator:
    """Take the documentation from decorators of flask-smorest, but not their wrappers around each request."""

    def decorate(view: Any) -> Any:
        for decorator in decorators:
            view._apidoc = decorator(view)._apidoc
        return view

    return decorate


def _without_copies(schema: Schema) -> Schema:
    """Let all copies of the documentation, which flask-smorest makes at each decorator, have the same schema.

    It never changes, and its copies took a seventh of the time to import the application, and 8 MiB of each worker.
    """
    schema.__deepcopy__ = lambda _memo: schema  # type: ignore[attr-defined]
    return schema


@cache
def _shared(schema: type[Schema]) -> Schema:
    """The one instance of a schema in the documentation of responses."""
    return _without_copies(schema())


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
            "second step, the strongest way first: `passkey`, `totp`, `recovery_code`, `password`, `mailed_code`."
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
