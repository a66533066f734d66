"""The writes that a page offers: each a form of its schema, filled with what is shown or was typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from userapi.core.problems import Problem

from . import inputs
from .inputs import Input
from .operations import Call, Operation
from .responses import Answer

#: Who an `x-set-by` names, and how an account says that it is one of them.
ROLES = {"staff": "is_staff", "superusers": "is_superuser"}


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


def of(calls: Sequence[Call], response: Response, answer: Answer, user: Any) -> list[Form]:
    """The forms of those calls that write.

    Args:
        calls: what the caller may do at this address.
        response: what is shown.
        answer: the same, read.
        user: who is signed in, or None.
    """
    is_shown = request.method in ("GET", "HEAD") and response.status_code == 200
    shown = answer.document if is_shown and isinstance(answer.document, dict) else {}
    roles = [role for role, flag in ROLES.items() if getattr(user, flag, False)]
    forms = []
    for call in calls:
        operation = call.operation
        if operation.method == "GET":
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


def opened(forms: Sequence[Form], response: Response) -> str:
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
    except (HTTPException, Problem):  # too large, or no form
        return {}
    for name, value in typed.items():
        outer, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
        else:
            values[name] = value
    return {**values, **nested}
