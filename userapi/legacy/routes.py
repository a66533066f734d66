"""The operations whose requests or responses the replaced service had in another form."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, request
from flask_babel import gettext as _

from userapi.auth import legacy_tokens, renewal, tokens
from userapi.auth.problems import InvalidCredentials, InvalidToken
from userapi.auth.schemas import TokenSchema
from userapi.core.db import db
from userapi.core.problems import NotSignedIn, Problem
from userapi.http import pagination
from userapi.http.bodies import read_body
from userapi.http.negotiation import prefers_page
from userapi.http.openapi import Blueprint
from userapi.http.responses import Document, json_response
from userapi.security import throttling
from userapi.users import list_queries, user_json
from userapi.users import queries as user_queries

from . import documents
from .schemas import WholeListSchema

View = Callable[..., Response]

#: Gives the views below their schemas; it is not registered, because they are served at the paths of others.
blueprint = Blueprint("legacy", __name__)


def with_token(view: View) -> View:
    """A sign-in whose response has the `token`, and whose wrong credentials are 400."""

    @wraps(view)
    def sign_in(*args: Any, **kwargs: Any) -> Response:
        try:
            response = view(*args, **kwargs)
        except InvalidCredentials as error:
            raise _as_bad_request(error) from error
        return documents.change(response, documents.with_token)

    return sign_in


def with_pk(view: View) -> View:
    """An operation on a user whose response has the `pk`."""

    @wraps(view)
    def operation(*args: Any, **kwargs: Any) -> Response:
        return documents.change(view(*args, **kwargs), documents.with_pk)

    return operation


def open_to_all(logout: View) -> View:
    """A sign-out that succeeds without credentials too."""

    @wraps(logout)
    def sign_out(*args: Any, **kwargs: Any) -> Response:
        try:
            return logout(*args, **kwargs)
        except NotSignedIn:
            return json_response({"detail": _("Signed out.")})

    return sign_out


def by_token(refresh: View) -> View:
    """A refresh that accepts a `token` in the body; other requests are for the view."""

    @wraps(refresh)
    def operation() -> Response:
        return _refresh() if "token" in read_body(request) else refresh()

    return operation


@throttling.limits_each_client("REFRESH_IP")
@blueprint.arguments(TokenSchema)
def _refresh(body: dict[str, str]) -> Response:
    """Renew an access token, or begin a session with a token of the replaced service.

    There is no refresh token in the response: it would be valid for longer than the client may renew its token.
    """
    try:
        if legacy_tokens.looks_like_one(body["token"]):
            pair = tokens.issue_pair(legacy_tokens.sign_in(body["token"]))
        else:
            pair = tokens.issue_pair(renewal.renew(body["token"]))
    except InvalidToken as error:
        raise _as_bad_request(error) from error
    db.session.commit()
    return json_response(documents.with_token({name: pair[name] for name in pair if name != "refresh_token"}))


def with_user(_verify: View) -> View:
    """A verification whose response also has the token and its user, and whose invalid tokens are 400."""
    return wraps(_verify)(_verify_token)


@blueprint.arguments(TokenSchema)
def _verify_token(body: dict[str, str]) -> Response:
    try:
        return json_response({**_verified_claims(body["token"]), "token": body["token"]})
    except InvalidToken as error:
        raise _as_bad_request(error) from error


def _verified_claims(token: str) -> Document:
    """The claims of a token, and its user; an API key may not read the user, so its tokens do not either."""
    if legacy_tokens.looks_like_one(token):
        with throttling.count_failures("TOKEN_VERIFY", throttling.get_client_subject()):
            found = legacy_tokens.verify(token)
        return {**found.claims, "user": _read_user(found.account.id)}
    claims = tokens.verify_active(token)
    return claims.document if claims.key_id else {**claims.document, "user": _read_user(claims.user_id)}


def _read_user(user_id: int) -> Document:
    return documents.with_pk(user_json.from_row(user_queries.row_in_transaction(user_id)))


def without_pages(list_users: View) -> View:
    """A list of users that is an array, unless the request has a `limit` or comes from a browser."""

    @wraps(list_users)
    def operation() -> Response:
        return list_users() if "limit" in request.args or prefers_page() else _list_users()

    return operation


@blueprint.arguments(WholeListSchema, location="query")
def _list_users(query: dict[str, Any]) -> Response:
    ordering, cursor = query.get("ordering", "id"), query.get("cursor")
    start = pagination.decode_cursor(cursor, ordering) if cursor else None
    page = list_queries.find_page(query, ordering, query["limit"], start)
    links = pagination.build_link_header(pagination.build_page_links(page))
    return json_response(user_json.from_rows(page.rows), headers=links)


def _as_bad_request(error: Problem) -> Problem:
    """The same error with the status of an invalid field."""
    error.status = 400  # type: ignore[misc]
    error.headers.pop("WWW-Authenticate", None)
    return error


#: The views that are wrapped, by endpoint.
ADAPTED: dict[str, Callable[[View], View]] = {
    "tokens.obtain_tokens": with_token,
    "userapi_tokens.obtain_tokens": with_token,
    "tokens.refresh_tokens": by_token,
    "userapi_tokens.refresh_tokens": by_token,
    "tokens.verify_token": with_user,
    "userapi_tokens.verify_token": with_user,
    "auth.login": with_token,
    "auth.logout": open_to_all,
    "auth.read_me": with_pk,
    "auth.edit_me": with_pk,
    "auth.replace_me": with_pk,
    "users.list_users": without_pages,
}
