"""The writes that a page offers: a form for each, filled in with the shown data or with what was typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from userapi.core.problems import Problem
from userapi.html.profile_inputs import read_sent

from . import inputs, samples
from .inputs import Input
from .operations import Call, Operation, absolute_url
from .responses import ApiResponse

#: The roles that `x-set-by` names, and the flags of accounts that have them.
ROLES = {"staff": "is_staff", "superusers": "is_superuser"}

#: The role, for `x-set-by`, of those who register.
REGISTRATION = "registration"


@dataclass(frozen=True, slots=True)
class Write:
    """A write that the caller may do at this URL.

    Attributes:
        operation: what is called.
        inputs: for its body.
        etag: of the shown data, so that the write overwrites nothing newer.
        errors: messages by the names of inputs, when the form was submitted without a script.
        leads_to: the path to show after a deletion.
        curl: the command that sends the example of the document.
        curl_head: the same without the argument for the body.
    """

    operation: Operation
    inputs: Sequence[Input]
    etag: str | None
    errors: Mapping[str, list[str]]
    leads_to: str
    curl: str
    curl_head: str


def list_writes(calls: Sequence[Call], response: Response, shown: ApiResponse, user: Any) -> list[Write]:
    """The forms of those calls that write.

    Args:
        calls: what the caller may do at this URL.
        response: of the API.
        shown: the same, parsed.
        user: the signed-in user, or None.
    """
    has_data = request.method in ("GET", "HEAD") and response.status_code == 200
    data = shown.document if has_data and isinstance(shown.document, dict) else {}
    flags = [role for role, flag in ROLES.items() if getattr(user, flag, False)]
    writes = []
    for call in calls:
        operation = call.operation
        if operation.method == "GET":
            continue
        # What can only be set at registration can be set by staff too.
        roles = [*flags, REGISTRATION] if operation.method == "POST" or flags else flags
        was_submitted = request.method == operation.method == "POST"
        etag = response.headers.get("ETag") if has_data else None
        url = absolute_url(request.path)
        sample = samples.Request(operation.method, url, operation.needs_token, operation.example)
        values = _submitted_values() if was_submitted else {} if operation.method == "POST" else data
        fields = [] if operation.body is None else inputs.body_inputs(operation.body, values, roles)
        writes.append(
            Write(
                operation,
                fields,
                etag=etag,
                errors=shown.errors if was_submitted else {},
                leads_to=request.path.rstrip("/").rpartition("/")[0] + "/" if call.arguments else request.path,
                curl=samples.curl_command(sample, etag, [field.name for field in fields if field.is_secret]),
                curl_head=samples.curl_head(sample, etag),
            )
        )
    return writes


def initially_open(writes: Sequence[Write], response: Response) -> str:
    """The method whose form is open at first: the one that changes least."""
    methods = [write.operation.method for write in writes]
    only = methods[0] if len(methods) == 1 and response.status_code == 405 else ""
    return next((method for method in ("PATCH", "POST") if method in methods), only)


def _submitted_values() -> dict[str, Any]:
    """The values of the submitted form, nested as in the API."""
    values: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    try:
        form = request.form
    except (HTTPException, Problem):  # too large, or not a form
        return {}
    for name, value in read_sent(form).items():
        outer, dot, inner = name.partition(".")
        if dot:
            nested.setdefault(outer, {})[inner] = value
        else:
            values[name] = value
    return {**values, **nested}
