"""The page for a response of the API: the request, the response, and what can be called next."""

from functools import partial
from urllib.parse import quote, urlencode

from flask import Response, render_template, request
from werkzeug.exceptions import HTTPException

from userapi.auth import authentication
from userapi.auth.caller import Caller, Credential, find_caller
from userapi.core.db import db
from userapi.html import csrf

from . import inputs, operation_list, operations, responses, samples, writes
from .operations import Call, Catalogue

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

#: What stays as it is in a query (RFC 3986, section 3.4).
QUERY_CHARACTERS = "!$&'()*+,;=:@/?%"


def render_page(response: Response, catalogue: Catalogue) -> str:
    """Render the page for a response.

    Args:
        response: JSON, a problem document, or nothing.
        catalogue: the operations of the application.
    """
    here = catalogue.at(request.path)
    method = "GET" if request.method == "HEAD" else request.method
    called = next((call for call in here if call.operation.method == method), None)
    answer = responses.parse_response(response, request.path if catalogue.has_items(request.path) else None)
    caller = _caller(response)
    me = caller.user if caller else None
    allowed = [call for call in here if call.is_open_to(me)]
    reading = next((call for call in allowed if call.operation.method == "GET"), None)
    back = urlencode({"next": request.full_path.rstrip("?")})
    exists = response.status_code < 500 and response.status_code != 404
    offered = writes.list_writes(allowed, response, answer, me) if exists else []
    return render_template(
        "browse/page.html",
        answer=answer,
        curl=_read_command(method, called),
        below=catalogue.below(request.path),
        called=called,
        crumbs=_crumbs(catalogue),
        csrf_token=partial(_csrf_token, caller),
        exists=exists,
        filters=inputs.query_inputs(reading.operation.query, request.args) if reading else [],
        here=here,
        json=f"{request.path}?{urlencode([*request.args.items(multi=True), ('format', 'json')])}",
        me=me,
        method=method,
        operations=list(operation_list.list_operations(catalogue, here, me)),
        open_method=writes.initially_open(offered, response),
        query=request.query_string.decode("latin-1"),
        reading=reading,
        writes=offered,
        sign_in=f"/login/?{back}",
        way_on={
            "proof_needed": f"/prove/?{back}",
            "second_step_required": "/account/security/",
            "profile_incomplete": f"/account/complete/?{back}",
        }.get(answer.code),
    )


def _caller(response: Response) -> Caller | None:
    """The caller; None for an anonymous visitor.

    Not looked up after a 5xx, because the database may be what failed, and not for OPTIONS, which anyone may send.
    """
    if response.status_code >= 500 or request.method == "OPTIONS":
        return None
    found = find_caller()
    if found is not None and (request.method in SAFE_METHODS or found.impersonation is not None):
        return found
    db.session.rollback()  # of a rejected write; what must stay is committed
    try:
        return find_caller() if authentication.sign_in_by_cookie() else None
    except HTTPException:  # the CSRF token is looked for in the body, which may be too large
        return None


def _csrf_token(caller: Caller | None) -> str:
    """The token for the writes of this page; empty for a caller with a bearer token, who needs none."""
    if caller is None or caller.credential is not Credential.COOKIE:
        return ""
    return csrf.session_token(caller.session_id)


def _read_command(method: str, called: Call | None) -> str:
    """The curl command for this request; empty for a write, whose form has the command: its body may have secrets."""
    if method not in SAFE_METHODS:
        return ""
    query = quote(request.query_string, safe=QUERY_CHARACTERS)
    url = operations.absolute_url(request.path) + (f"?{query}" if query else "")
    return samples.curl_command(samples.Request(method, url, bool(called and called.operation.needs_token)))


def _crumbs(catalogue: Catalogue) -> list[tuple[str, str | None]]:
    """Names and paths from the index to this page; no path where there is nothing to read."""
    return [
        (name, path if catalogue.find(path, "GET") else None)
        for name, path in operations.crumbs(request.path)
        if path != "/userapi/"
    ]
