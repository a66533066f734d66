"""The response to a sign-in on a page."""

from flask import Response, url_for

from userapi.auth import cookies, tokens
from userapi.auth.models import Session
from userapi.core import i18n
from userapi.core.db import db
from userapi.html import csrf
from userapi.html.redirects import next_path, see_other
from userapi.users import missing_fields
from userapi.users import queries as user_queries
from userapi.users.declaration import get_declaration


def respond_signed_in(session: Session, following: str = "", language: str | None = "") -> Response:
    """Commit, sign this browser in, and redirect to the page that the visitor requested.

    Args:
        session: that has begun.
        following: the path of that page, if it is not in the request.
        language: of the account; empty if it was not read yet.
    """
    pair = tokens.issue_pair(session, web=True)
    following = _find_prompt(session, following or next_path() or url_for("pages.show_account"))
    language = session.user.language if language == "" else language
    db.session.commit()
    response = csrf.delete_visitor_cookie(cookies.set_token_cookies(see_other(following), pair))
    return response if i18n.get_chosen_language() else i18n.remember_language(response, language)


def _find_prompt(session: Session, following: str) -> str:
    """The page that asks for what is missing of the profile, and leads to the page that follows otherwise."""
    if not get_declaration().has_prompts or session.for_set_up:
        return following
    if not missing_fields.list_missing(user_queries.row_in_transaction(session.user_id)):
        return following
    return url_for("pages.show_completion", next=following)
