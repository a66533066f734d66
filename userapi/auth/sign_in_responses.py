"""The response to a sign-in through the API."""

from flask import Response

from userapi.core.db import db
from userapi.http.responses import Document, json_response
from userapi.users import queries as user_queries
from userapi.users import user_json

from . import cookies, tokens
from .models import Session


def respond_signed_in(session: Session, *, in_cookies: bool, extra: Document | None = None) -> Response:
    """Commit, and return the user with the tokens of a session, which are in the response or in cookies.

    Args:
        session: that has begun.
        in_cookies: whether the tokens are set as cookies.
        extra: what else the response says.
    """
    pair = tokens.issue_pair(session, web=in_cookies)
    document = {**(extra or {}), "user": user_json.from_row(user_queries.row_in_transaction(session.user_id))}
    db.session.commit()
    if in_cookies:
        return cookies.set_token_cookies(json_response(document), pair)
    return json_response({**pair, **document})
