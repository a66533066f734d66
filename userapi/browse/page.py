"""A page about an answer of the API: what was called, what it said, and what can be called from here."""

import re
from urllib.parse import urlencode

from flask import Response, render_template, request
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException

from userapi.auth import authentication, tokens
from userapi.auth.caller import Caller, Credential, find_caller
from userapi.core.db import db

from . import forms, inputs, operations, responses
from .operations import Catalogue

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

#: `this` in a text of the document, which is Markdown.
CODE = re.compile(r"`([^`]+)`")


def about(response: Response, catalogue: Catalogue) -> str:
    """The page about an answer.

    Args:
        response: JSON, a problem document, or nothing.
        catalogue: the operations of the application.
    """
    here = catalogue.at(request.path)
    method = "GET" if request.method == "HEAD" else request.method
    called = next((call for call in here if call.operation.method == method), None)
    answer = responses.read(response, request.path if catalogue.has_items(request.path) else None)
    caller = _caller(response)
    me = caller.user if caller else None
    mine = [call for call in here if call.is_open_to(me)]
    reading = next((call for call in mine if call.operation.method == "GET"), None)
    is_there = response.status_code < 500 and response.status_code != 404
    writes = forms.of(mine, response, answer, me) if is_there else []
    return render_template(
        "browse/page.html",
        answer=answer,
        below=catalogue.below(request.path),
        called=called,
        crumbs=_crumbs(catalogue),
        filters=inputs.of_query(reading.operation.query, request.args) if reading else [],
        forms=writes,
        here=here,
        json=f"{request.path}?{urlencode([*request.args.items(multi=True), ('format', 'json')])}",
        me=me,
        method=method,
        opened=forms.opened(writes, response),
        proof=_proof(caller),
        query=request.query_string.decode("latin-1"),
        reading=reading,
        sign_in=f"/login/?{urlencode({'next': request.full_path.rstrip('?')})}",
    )


def _caller(response: Response) -> Caller | None:
    """The caller; None for an anonymous visitor.

    After a 5xx the database is not read, since it may be what failed; an OPTIONS request has no caller.
    """
    if response.status_code >= 500 or request.method == "OPTIONS":
        return None
    found = find_caller()
    if found is not None and request.method in SAFE_METHODS:
        return found
    db.session.rollback()  # of a refused write; what was to stay is committed
    try:
        return find_caller() if authentication.accept_cookie() else None
    except HTTPException:  # the proof is looked for in a body that is too large to be read
        return None


def _proof(caller: Caller | None) -> str:
    """What the writes of this page carry; a caller who showed a bearer token needs none."""
    if caller is None or caller.credential is not Credential.COOKIE:
        return ""
    return tokens.csrf_value(caller.session_id)


def _crumbs(catalogue: Catalogue) -> list[tuple[str, str | None]]:
    """The way here from the index: names, and addresses where there is something to read."""
    return [
        (name, path if catalogue.find(path, "GET") else None)
        for name, path in operations.crumbs(request.path)
        if path != "/userapi/"
    ]


def marked(text: str) -> Markup:
    """A text of the document with its `code` marked."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text.replace(r"\<", "<")))))  # noqa: S704 escaped before
