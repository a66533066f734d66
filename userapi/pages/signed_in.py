"""The response to a sign-in on a page."""

from flask import Response

from userapi.auth import cookies, tokens
from userapi.auth.models import Session
from userapi.core import i18n
from userapi.core.db import db
from userapi.html import csrf
from userapi.html.redirects import redirect_to_next


def respond_signed_in(session: Session) -> Response:
    """Commit, sign this browser in, and redirect to the page that the visitor requested."""
    pair, language = tokens.issue_pair(session, web=True), session.user.language
    db.session.commit()
    response = csrf.delete_visitor_cookie(cookies.set_token_cookies(redirect_to_next(), pair))
    return response if i18n.get_chosen_language() else i18n.remember_language(response, language)
