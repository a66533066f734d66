"""Makes a form act once: a second click on its button gets the response of the first, not an error."""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any

from flask import Response

from userapi.auth import cookies, sign_in
from userapi.core import i18n
from userapi.core.db import db
from userapi.html import csrf, saved_forms
from userapi.html.flash import flash
from userapi.html.redirects import see_other
from userapi.http import submissions
from userapi.security import encryption

from . import notices, second_step_cookie
from .remembered_email import remember_email
from .shown_codes import carry_codes

#: Seconds for which a stored result can be read. It is sealed because it may name an email, and outlives the account.
RESULT_MAX_AGE = 120


@dataclass(frozen=True)
class Done:
    """The result of a form that succeeded.

    Attributes:
        path: the page to go to.
        notice: what it says first, a name in `notices.TEXTS`.
        session_id: the session that this browser is signed in to.
        email: shown in the sign-in form.
        language: of the account, which the browser remembers.
        delete_cookie: name and path of a cookie to delete.
        mfa_token: of a sign-in whose second step is done on the next page.
        recovery_codes: new ones, which the next page shows.
    """

    path: str
    notice: str | None = None
    session_id: str | None = None
    email: str | None = None
    language: str | None = None
    delete_cookie: tuple[str, str] | None = None
    mfa_token: str | None = None
    recovery_codes: list[str] | None = None


def submit_once(view: Callable[..., Done]) -> Callable[..., Response]:
    """Commit what a view did and respond with its result; submitting the same form again repeats the response."""

    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        key = saved_forms.submission_key()
        earlier = submissions.claim_submission(key) if key else None
        stored = encryption.decrypt_json("page-result", earlier.get("sealed", ""), RESULT_MAX_AGE) if earlier else None
        done = Done(**stored) if stored is not None else view(**arguments)
        response = _respond(done)
        if key and stored is None:
            submissions.finish_submission(key, {"sealed": encryption.encrypt_json("page-result", asdict(done))})
        db.session.commit()
        return response

    return wrapper


def _respond(done: Done) -> Response:
    response = see_other(done.path)
    if done.session_id and (pair := sign_in.issue_browser_pair(uuid.UUID(done.session_id))):
        csrf.delete_visitor_cookie(cookies.set_token_cookies(response, pair))
    language = None if done.session_id and i18n.get_chosen_language() else done.language
    if language:
        i18n.remember_language(response, language)
    if done.notice:
        with i18n.use_language(language):  # the next page is in that language
            flash(notices.TEXTS[done.notice])
    if done.email:
        remember_email(response, done.email)
    if done.mfa_token:
        second_step_cookie.set_cookie(response, done.mfa_token)
    if done.recovery_codes:
        carry_codes(response, done.recovery_codes)
    if done.delete_cookie:
        response.delete_cookie(done.delete_cookie[0], path=done.delete_cookie[1])
    return response
