"""What the endpoints for programs share: forms, client authentication, and responses in the shape of OAuth."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from flask import Response, g, request

from userapi.core import clock
from userapi.http.responses import json_response
from userapi.observability import metrics
from userapi.security import throttling

from . import client_secrets, queries
from .client_secrets import TokenAuth
from .models import MAX_ID_LENGTH
from .problems import OAuthError

#: The media type of every request body (RFC 6749, appendix B).
FORM_TYPE = "application/x-www-form-urlencoded"

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def read_form() -> dict[str, str]:
    """The parameters of the body, each of which may be sent once (RFC 6749, section 3.2). Empty ones are left out.

    Raises:
        OAuthError: the body is no form, repeats a parameter, or parameters are in the URL.
    """
    if request.mimetype != FORM_TYPE:
        raise OAuthError("invalid_request", f"Send the parameters as {FORM_TYPE}.", 415)
    if request.args:
        raise OAuthError("invalid_request", "Send the parameters in the body, not in the URL.")
    return read_parameters(request.form)


def read_parameters(values: Any) -> dict[str, str]:
    """The parameters of a query or a form by name, without empty ones.

    Raises:
        OAuthError: one is repeated, or contains NUL, which PostgreSQL does not store.
    """
    for name, found in values.lists():
        if len(found) > 1:
            raise OAuthError("invalid_request", f"The parameter {_printable(name)} is repeated.")
        if "\x00" in found[0]:
            raise OAuthError("invalid_request", f"The parameter {_printable(name)} contains NUL.")
    return {name: value for name, value in values.items() if value != ""}


def authenticate_client(form: Mapping[str, str]) -> Any:
    """The client that sent a request, in the way it is registered for (RFC 6749, section 2.3).

    Args:
        form: the parameters.

    Raises:
        OAuthError: `invalid_client`, or `invalid_request` for two ways at the same time.
        TooManyRequests: the client id was sent with too many wrong secrets from this IP address.
    """
    client_id, secret, way = _read_credentials(form)
    subject = f"{throttling.get_client_subject()} {client_id[:MAX_ID_LENGTH]}"
    with throttling.count_failures("CLIENT_AUTH", subject):
        client = queries.find_client(client_id)
        is_public = client is not None and client.token_auth == TokenAuth.NONE
        is_right = client_secrets.matches(client, secret or "", clock.now())
        if client is None or client.disabled_at is not None or client.token_auth != way:
            raise InvalidClient
        if not is_public and not is_right:
            raise InvalidClient
    return client


class InvalidClient(OAuthError):
    """The client is unknown or disabled, or its secret is wrong; the response is the same for all."""

    def __init__(self) -> None:
        headers = {"WWW-Authenticate": 'Basic realm="userapi", charset="UTF-8"'}
        super().__init__("invalid_client", "Client authentication failed.", 401, headers)


def _read_credentials(form: Mapping[str, str]) -> tuple[str, str | None, TokenAuth]:
    """Client id, secret, and how they were sent."""
    header = request.headers.get("Authorization", "")
    scheme, _space, encoded = header.partition(" ")
    secret: str | None
    if header:
        if "client_secret" in form:
            raise OAuthError("invalid_request", "Authenticate in one way only.")
        client_id, secret = _decode_basic(encoded) if scheme.lower() == "basic" else ("", "")
        if form.get("client_id", client_id) != client_id:
            raise OAuthError("invalid_request", "client_id differs from that of the Authorization header.")
        return client_id, secret, TokenAuth.BASIC
    secret = form.get("client_secret")
    return form.get("client_id", ""), secret, TokenAuth.NONE if secret is None else TokenAuth.POST


def _decode_basic(encoded: str) -> tuple[str, str]:
    """Client id and secret of a Basic header, which are form-encoded in it (RFC 6749, section 2.3.1)."""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidClient from error
    client_id, _colon, secret = text.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def respond(document: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON response that no one stores."""
    return json_response(dict(document), status, NO_STORE)


def error_response(error: OAuthError) -> Response:
    """An error as JSON (RFC 6749, section 5.2)."""
    g.oauth_error = error.error
    return json_response(error.document, error.status, {**NO_STORE, **error.headers})


def count_answer(endpoint: str, error: str | None) -> None:
    """Count an answer to a client.

    Args:
        endpoint: a short name, one of a few.
        error: the code of one of our errors; None for an answer without an error.
    """
    metrics.get_current_metrics().openid_answers.labels(endpoint, error or "none").inc()


def _printable(text: str) -> str:
    return "".join(each for each in text[:50] if each.isascii() and (each.isalnum() or each in "_-."))
