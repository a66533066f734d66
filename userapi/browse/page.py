"""A page about an answer of the API: what was called, what it said, and what can be called from here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import Response, current_app, g, render_template, request
from flask_jwt_extended import get_jwt_request_location
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException

from userapi.auth import gate, tokens
from userapi.core.db import db
from userapi.core.problems import MEDIA_TYPE

from . import inputs, operations
from .highlighting import highlight, own_path
from .inputs import Input
from .operations import Call, Catalogue, Operation

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

#: Headers worth reading; those that every answer carries are left out.
SHOWN_HEADERS = (
    "Allow", "Content-Type", "Vary", "Cache-Control", "ETag", "Link", "Location", "Retry-After", "WWW-Authenticate",
)  # fmt: skip

#: `this` in a text of the document, which is Markdown.
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API said.

    Attributes:
        status: as 200.
        reason: as "OK".
        headers: names and values.
        document: the body; None when there is none.
        body: the same, for reading.
        detail: what a refusal says.
        errors: messages by the names of inputs; `""` is no input's.
    """

    status: int
    reason: str
    headers: Sequence[tuple[str, str]]
    document: Any
    body: Markup | None
    detail: str
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Form:
    """A write that the caller may do here.

    Attributes:
        operation: what is called.
        inputs: for its body.
        etag: of what is shown, so that nobody overwrites what they have not seen.
        errors: what was wrong with it when it was sent without a script.
        leads_to: where there is something to read when what is here was deleted.
    """

    operation: Operation
    inputs: Sequence[Input]
    etag: str | None
    errors: Mapping[str, str]
    leads_to: str


def about(response: Response, catalogue: Catalogue) -> str:
    """The page about an answer.

    Args:
        response: JSON, a problem document, or nothing.
        catalogue: the operations of the application.
    """
    here = catalogue.at(request.path)
    method = "GET" if request.method == "HEAD" else request.method
    called = next((call for call in here if call.operation.method == method), None)
    answer = _answer(response, catalogue)
    caller = _caller(response)
    reading = next((call for call in here if call.operation.method == "GET" and _may(caller, call)), None)
    forms = [] if response.status_code >= 500 else _forms(here, answer, caller, response)
    return render_template(
        "browse/page.html",
        answer=answer,
        below=catalogue.below(request.path),
        called=called,
        crumbs=_crumbs(catalogue),
        filters=inputs.of_query(reading.operation.query, request.args) if reading else [],
        forms=forms,
        here=here,
        json=f"{request.path}?{urlencode([*request.args.items(multi=True), ('format', 'json')])}",
        me=caller,
        method=method,
        neighbours=_neighbours(answer.document),
        opened=_opened(forms, response),
        proof=_proof(caller),
        query=request.query_string.decode("latin-1"),
        reading=reading,
        sign_in=f"/login/?{urlencode({'next': request.full_path.rstrip('?')})}",
    )


def _answer(response: Response, catalogue: Catalogue) -> Answer:
    raw = response.get_data()
    document: Any = orjson.loads(raw) if raw else None
    items = request.path if catalogue.has_items(request.path) else None
    is_problem = response.mimetype == MEDIA_TYPE
    headers = [(name, value) for name, value in response.headers if name in SHOWN_HEADERS]
    return Answer(
        status=response.status_code,
        reason=HTTPStatus(response.status_code).phrase,
        headers=[*headers, ("X-Request-ID", g.get("request_id", ""))],
        document=document,
        body=highlight(document, current_app.config["SITE_URL"], items) if raw else None,
        detail=document["detail"] if is_problem else "",
        errors=dict(inputs.flat(document.get("errors", {}))) if is_problem else {},
    )


def _caller(response: Response) -> Any:
    """Whoever is signed in, or None.

    After a 5xx the database is not asked, since it may be what fails; an OPTIONS is nobody's.
    """
    if response.status_code >= 500 or request.method == "OPTIONS":
        return None
    found = gate.caller()
    if found is not None and request.method in SAFE_METHODS:
        return found
    db.session.rollback()  # of a refused write; what was to stay is committed
    try:
        return gate.caller() if gate.has_good_cookie() else None
    except HTTPException:  # the proof is looked for in a body that is too large to be read
        return None


def _proof(caller: Any) -> str:
    """What the writes of this page carry; a caller who showed a bearer token needs none."""
    by_cookie = caller is not None and get_jwt_request_location() == "cookies"
    return tokens.csrf_value(caller.session_id) if by_cookie else ""


def _forms(here: Sequence[Call], answer: Answer, caller: Any, response: Response) -> list[Form]:
    """The writes at this address that the caller may do."""
    is_shown = request.method in ("GET", "HEAD") and response.status_code == 200
    shown = answer.document if is_shown and isinstance(answer.document, dict) else {}
    flags = {"staff": "is_staff", "superusers": "is_superuser"}
    roles = [role for role, flag in flags.items() if getattr(caller, flag, False)]
    forms = []
    for call in here:
        operation = call.operation
        if operation.method == "GET" or not _may(caller, call):
            continue
        was_sent = request.method == operation.method == "POST"
        values = _typed() if was_sent else {} if operation.method == "POST" else shown
        forms.append(
            Form(
                operation,
                [] if operation.body is None else inputs.of_body(operation.body, values, roles),
                etag=response.headers.get("ETag") if is_shown else None,
                errors=answer.errors if was_sent else {},
                leads_to=request.path.rstrip("/").rpartition("/")[0] + "/" if call.arguments else request.path,
            )
        )
    return forms


def _may(caller: Any, call: Call) -> bool:
    return gate.allows(call.operation.access, caller, call.arguments)


def _opened(forms: Sequence[Form], response: Response) -> str:
    """The method whose form is open at first: the one that changes least."""
    methods = [form.operation.method for form in forms]
    only = methods[0] if len(methods) == 1 and response.status_code == 405 else ""
    return next((method for method in ("PATCH", "POST") if method in methods), only)


def _typed() -> dict[str, Any]:
    """What was typed into a form, as the API would write it."""
    values: dict[str, Any] = {}
    nested: dict[str, dict[str, str]] = {}
    try:
        typed = request.form
    except HTTPException:  # too large to be read
        return {}
    for name, value in typed.items():
        outer, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
        else:
            values[name] = value
    return {**values, **nested}


def _crumbs(catalogue: Catalogue) -> list[tuple[str, str | None]]:
    """The way here from the index: names, and addresses where there is something to read."""
    return [
        (name, path if catalogue.find(path, "GET") else None)
        for name, path in operations.crumbs(request.path)
        if path != "/userapi/"
    ]


def _neighbours(document: Any) -> dict[str, str]:
    """The pages before and after this one of a list."""
    if not isinstance(document, dict):
        return {}
    paths = {name: own_path(document.get(name), current_app.config["SITE_URL"]) for name in ("previous", "next")}
    return {name: path for name, path in paths.items() if path}


def marked(text: str) -> Markup:
    """A text of the document with its `code` marked."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text.replace(r"\<", "<")))))  # noqa: S704 escaped before
