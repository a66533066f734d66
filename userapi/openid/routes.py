"""`/oauth/…` for programs, and the discovery document. The pages are in `userapi.pages.openid_pages`.

Errors have the shape of OAuth, which its clients expect, instead of problem documents.
"""

from typing import Any

from flask import Blueprint, Flask, Response, g, request

from userapi.core.db import db
from userapi.core.problems import Problem
from userapi.http.errors import set_shape
from userapi.http.negotiation import set_program_paths
from userapi.http.responses import json_response

from . import access, authorization_requests, authorizations, devices, grants, metadata, protocol, queries
from .authorization_requests import PUSHED, SentBack
from .client_checks import Grant
from .problems import BadClientRequest, OAuthError
from .protocol import authenticate_client, error_response, read_form, respond

blueprint = Blueprint("openid", __name__)

#: Where the discovery document is (OpenID Connect Discovery, section 4; RFC 8414, section 3).
DOCUMENTS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")

#: How long clients may keep the discovery document, in seconds.
DISCOVERY_MAX_AGE = 600

#: What metrics call the endpoints.
COUNTED = {
    "openid.issue_tokens": "token",
    "openid.push_request": "par",
    "openid.read_userinfo": "userinfo",
    "openid.introspect_token": "introspect",
    "openid.revoke_token": "revoke",
    "openid.begin_device_sign_in": "device",
}

#: The paths that scripts of a client's `origins` may call.
FOR_SCRIPTS = ("openid.issue_tokens", "openid.read_userinfo", "openid.revoke_token")


@blueprint.get(DOCUMENTS[0])
@blueprint.get(DOCUMENTS[1])
def read_discovery() -> Response:
    """The discovery document, which any origin may read."""
    headers = {
        "Cache-Control": f"public, max-age={DISCOVERY_MAX_AGE}",
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return json_response(metadata.build(), headers=headers)


@blueprint.post("/oauth/token/")
def issue_tokens() -> Response:
    """Give a client tokens."""
    form = read_form()
    client = _authenticate(form)
    try:
        tokens = grants.exchange(client, form)
    except OAuthError as error:
        grants.commit_after(error)
        raise
    db.session.commit()
    return respond(tokens)


@blueprint.post("/oauth/par/")
def push_request() -> Response:
    """Store an authorization request, so that the browser only carries its name (RFC 9126)."""
    form = read_form()
    client = _authenticate(form)
    if Grant.CODE not in client.grants.split():
        raise OAuthError("unauthorized_client", "The client is not registered for this grant type.")
    parameters = {name: value for name, value in form.items() if name != "client_secret"}
    try:
        found = authorization_requests.read(client, parameters)
    except BadClientRequest as error:
        raise OAuthError("invalid_request", "redirect_uri is not registered for the client.") from error
    except SentBack as error:
        sent = error.answer.parameters
        raise OAuthError(sent["error"], sent.get("error_description", "")) from error
    handle = authorizations.push(client, found)
    db.session.commit()
    lifetime = int(authorizations.PUSHED_LIFETIME.total_seconds())
    return respond({"request_uri": PUSHED + handle, "expires_in": lifetime}, 201)


@blueprint.route("/oauth/userinfo/", methods=("GET", "POST"))
def read_userinfo() -> Response:
    """The claims about the user of an access token."""
    claims, client = access.read_userinfo()
    _allow_origin_of(client)
    return respond(claims)


@blueprint.post("/oauth/introspect/")
def introspect_token() -> Response:
    """What a client may know of a token."""
    form = read_form()
    client = _authenticate(form)
    return respond(access.introspect(client, _read_token(form)))


@blueprint.post("/oauth/revoke/")
def revoke_token() -> Response:
    """End the sign-in that a token belongs to."""
    form = read_form()
    client = _authenticate(form)
    access.revoke(client, _read_token(form))
    return Response(status=200, headers=protocol.NO_STORE)


@blueprint.post("/oauth/device/")
def begin_device_sign_in() -> Response:
    """Let a device wait for its user."""
    form = read_form()
    client = _authenticate(form)
    started = devices.begin(client, form.get("scope", ""))
    db.session.commit()
    return respond(started)


def _authenticate(form: Any) -> Any:
    client = authenticate_client(form)
    _allow_origin_of(client)
    return client


def _read_token(form: Any) -> str:
    if "token" not in form:
        raise OAuthError("invalid_request", "token is missing.")
    return str(form["token"])


# Cross-origin requests of the scripts of clients, without credentials: never cookies.

CORS_METHODS, CORS_HEADERS, CORS_MAX_AGE = "GET, POST", "Authorization, Content-Type", "600"


@blueprint.before_request
def answer_preflight() -> Response | None:
    """Answer what browsers ask before a script of another origin may call; the client is not known then."""
    if request.method != "OPTIONS" or request.endpoint not in FOR_SCRIPTS:
        return None
    response = Response(status=204, headers={"Vary": "Origin"})
    origin = request.headers.get("Origin")
    if origin and origin in queries.list_origins():
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = CORS_METHODS
        response.headers["Access-Control-Allow-Headers"] = CORS_HEADERS
        response.headers["Access-Control-Max-Age"] = CORS_MAX_AGE
    return response


def _allow_origin_of(client: Any) -> None:
    """Let a script read the response, and errors from here on, if it is of an origin of the client."""
    if request.endpoint in FOR_SCRIPTS and client is not None:
        g.allowed_origins = client.origins


@blueprint.after_request
def add_cross_origin_headers(response: Response) -> Response:
    """Name the origin that may read a response."""
    origin = request.headers.get("Origin")
    if origin is not None and request.endpoint in FOR_SCRIPTS:
        response.headers["Vary"] = "Origin"
        if origin in g.get("allowed_origins", ()):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "WWW-Authenticate, Retry-After"
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@blueprint.after_request
def count_answer(response: Response) -> Response:
    """Count the answer, except to what browsers ask before a script may call."""
    name = COUNTED.get(request.endpoint or "")
    if name is not None and request.method != "OPTIONS":
        protocol.count_answer(name, g.get("oauth_error"))
    return response


@blueprint.errorhandler(OAuthError)
def report_oauth_error(error: OAuthError) -> Response:
    """An error in the shape of OAuth."""
    return error_response(error)


def configure(app: Flask) -> None:
    """Serve `/oauth/…`, where programs get every error in the shape of OAuth: also those of HTTP and of the server."""
    app.register_blueprint(blueprint)
    own = [rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(f"{blueprint.name}.")]
    set_program_paths(app, [path.rstrip("/") for path in own])
    for path in ("/oauth/", *DOCUMENTS):
        set_shape(app, path, _report_problem)


def _report_problem(problem: Problem) -> Response:
    """Any other error of the service; the description is its code (docs/errors.md)."""
    if problem.status in (429, 503):
        error = "temporarily_unavailable"
    else:
        error = "server_error" if problem.status >= 500 else "invalid_request"
    return error_response(OAuthError(error, problem.code, problem.status))
