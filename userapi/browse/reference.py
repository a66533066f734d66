"""The API reference: every operation and schema of the OpenAPI document, as a page that needs no script."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import Flask, render_template
from flask_babel import get_locale
from markupsafe import Markup

from .highlighting import highlight
from .operations import Catalogue, Operation
from .samples import Sample, code_samples, example_request
from .schema_rows import FieldRow, Schemas

#: Examples name URLs of another site, so none of them is a link.
NO_SITE = "none:"


@dataclass(frozen=True, slots=True)
class Success:
    """A response to a request that succeeded.

    Attributes:
        status: such as `200`.
        description: in Markdown.
        schemas: the names of the schemas that its body may have.
        example: its body as HTML; None if it has none.
    """

    status: str
    description: str
    schemas: Sequence[str]
    example: Markup | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A problem that a request may get.

    Attributes:
        status: such as `400`; "default" for the example of any other problem.
        code: of the problem.
        detail: what is wrong and what to do next.
        example: its body as HTML.
    """

    status: str
    code: str
    detail: str
    example: Markup


@dataclass(frozen=True, slots=True)
class Entry:
    """What the reference says about an operation.

    Attributes:
        operation: the operation.
        parameters: rows by where they are sent: `path`, `query` and `header`.
        fields: of the request body.
        body: an example of the request body as HTML; None if there is no body.
        successes: the responses to successful requests.
        failures: the problems to expect.
        samples: code.
    """

    operation: Operation
    parameters: Mapping[str, Sequence[FieldRow]]
    fields: Sequence[FieldRow]
    body: Markup | None
    successes: Sequence[Success]
    failures: Sequence[Failure]
    samples: Sequence[Sample]

    @property
    def url(self) -> str:
        """Where it is on the page."""
        return f"#{self.operation.anchor}"


class Reference:
    """The reference of an application. Its page is rendered once for each language."""

    def __init__(self, app: Flask, catalogue: Catalogue) -> None:
        self._app = app
        self._catalogue = catalogue
        self._pages: dict[str, Markup] = {}

    def html(self) -> Markup:
        """The reference in the language of this request, without the frame around it."""
        language = str(get_locale())
        if language not in self._pages:
            self._pages[language] = Markup(render_template("docs/content.html", **self._context))  # noqa: S704
        return self._pages[language]

    @cached_property
    def _context(self) -> dict[str, Any]:
        document = self._catalogue.document
        schemas = Schemas(document["components"]["schemas"])
        entries = list(self._entries(schemas))
        return {
            "info": document["info"],
            "security": document["components"]["securitySchemes"],
            "sections": [
                (tag, [entry for entry in entries if tag["name"] in entry.operation.text["tags"]])
                for tag in document["tags"]
            ],
            "objects": {
                name: list(schemas.rows(schemas.named[name], nested=False)) for name in _returned(entries, schemas)
            },
        }

    def _entries(self, schemas: Schemas) -> Iterator[Entry]:
        operations = {(found.path, found.method): found for found in self._catalogue.operations.values()}
        for path, item in self._catalogue.document["paths"].items():
            shared = item.get("parameters", [])
            for method, text in item.items():
                if method != "parameters":
                    operation = operations[path, method.upper()]
                    yield _entry(operation, text, [*shared, *text.get("parameters", [])], schemas, self._site)

    @property
    def _site(self) -> str:
        site: str = self._app.config["SITE_URL"]
        return site


def _entry(
    operation: Operation, text: Mapping[str, Any], parameters: list[Mapping[str, Any]], schemas: Schemas, site: str
) -> Entry:
    """Read an operation object (OpenAPI 3.1, section 4.8.10)."""
    body = text.get("requestBody", {}).get("content", {}).get("application/json")
    rows: dict[str, list[FieldRow]] = {}
    for found in parameters:
        known = {"description": found["description"], "example": found.get("example")}
        row = schemas.row(found["name"], found["schema"], found.get("required", False), **known)
        rows.setdefault(found["in"], []).append(row)
    responses = sorted(text["responses"].items())
    return Entry(
        operation=operation,
        parameters=rows,
        fields=list(schemas.rows(body["schema"], nested=True)) if body else [],
        body=highlight(body["example"], NO_SITE) if body else None,
        successes=[_success(status, response, schemas) for status, response in responses if status.startswith("2")],
        failures=[
            failure for status, response in responses if status[0] in "45d" for failure in _failures(status, response)
        ],
        samples=code_samples(example_request(site, operation.method, operation.path, text, parameters)),
    )


def _success(status: str, response: Mapping[str, Any], schemas: Schemas) -> Success:
    content = response.get("content", {}).get("application/json")
    return Success(
        status,
        response["description"],
        schemas.names_of(content["schema"]) if content else [],
        highlight(content["example"], NO_SITE) if content else None,
    )


def _failures(status: str, response: Mapping[str, Any]) -> Iterator[Failure]:
    (content,) = response["content"].values()
    examples = (
        [content["example"]] if "example" in content else [part["value"] for part in content["examples"].values()]
    )
    for example in examples:
        yield Failure(status, example["code"], example["detail"], highlight(example, NO_SITE))


def _returned(entries: Sequence[Entry], schemas: Schemas) -> list[str]:
    """The names of the schemas of responses, and of those in them, in the order of the document."""
    found = {"Problem", *(name for entry in entries for success in entry.successes for name in success.schemas)}
    waiting = list(found)
    while waiting:
        shape = schemas.named[waiting.pop()]
        inside = {row.schema for row in schemas.rows(shape, nested=False) if row.schema} - found
        found |= inside
        waiting += inside
    return [name for name in schemas.named if name in found]
