"""Makes a form act once: a second click on its button gets the response of the first, not an error."""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

from flask import Response, current_app

from userapi.auth import cookies, sign_in
from userapi.auth.problems import InvalidMailedCode
from userapi.core import i18n
from userapi.core.db import db
from userapi.html import csrf, saved_forms
from userapi.html.flash import flash
from userapi.html.redirects import see_other
from userapi.http import submissions
from userapi.security import encryption

from . import notices, second_step_cookie, shown_keys, sign_in_code_cookie
from .remembered_email import remember_email
from .shown_codes import carry_codes

#: Seconds for which a stored result can be read. It is sealed because it may name an email, and outlives the account.
RESULT_MAX_AGE = 120

#: The same for a first factor, whose result is stronger than the cookies of the form: a copy of these gains it only as
#: long as a copy of a used refresh token is accepted by default.
FIRST_FACTOR_WINDOW = timedelta(seconds=10)


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
        api_key: the `key_id` and `key` of a new API key, which the next page shows.
        signs_out: whether the session of this browser has ended.
        sent_code: what `sign_in_code_cookie` stores in this browser.
    """

    path: str
    notice: str | None = None
    session_id: str | None = None
    email: str | None = None
    language: str | None = None
    delete_cookie: tuple[str, str] | None = None
    mfa_token: str | None = None
    recovery_codes: list[str] | None = None
    sent_code: dict[str, str] | None = None
    api_key: dict[str, str] | None = None
    signs_out: bool = False


def submit_once(view: Callable[..., Done], window: timedelta = submissions.DEFAULT_WINDOW) -> Callable[..., Response]:
    """Commit what a view did and respond with its result; submitting the same form again repeats the response.

    Args:
        view: does it.
        window: how long the response is repeated.
    """

    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        key = saved_forms.submission_key()
        earlier = submissions.claim_submission(key, window) if key else None
        stored = _open_result(earlier)
        done = stored if stored is not None else view(**arguments)
        response = _respond(done)
        if key and stored is None:
            submissions.finish_submission(key, _seal_result(done))
        db.session.commit()
        return response

    return wrapper


def submit_code_once(view: Callable[..., Done]) -> Callable[..., Response]:
    """As `submit_once`, for views that use up a code and commit that it was tried before they write anything else.

    A second submission of the same form fails, because the code was used. It gets the response of the first then.
    """

    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        key = saved_forms.submission_key()
        try:
            done = view(**arguments)
        except InvalidMailedCode:
            stored = _open_result(submissions.find_outcome(key) if key else None)
            if stored is None:
                raise
            return _respond(stored)
        response = _respond(done)
        if key:
            submissions.claim_submission(key)
            submissions.finish_submission(key, _seal_result(done))
        db.session.commit()
        return response

    return wrapper


def _seal_result(done: Done) -> dict[str, str]:
    return {"sealed": encryption.encrypt_json("page-result", asdict(done))}


def _open_result(outcome: dict[str, Any] | None) -> Done | None:
    stored = encryption.decrypt_json("page-result", outcome.get("sealed", ""), RESULT_MAX_AGE) if outcome else None
    return None if stored is None else Done(**stored)


def _respond(done: Done) -> Response:
    response = see_other(done.path)
    if done.session_id and (pair := sign_in.issue_browser_pair(uuid.UUID(done.session_id))):
        csrf.delete_visitor_cookie(cookies.set_token_cookies(response, pair))
    if done.signs_out:
        cookies.delete_token_cookies(response)
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
    if done.sent_code:
        sign_in_code_cookie.set_cookie(response, done.sent_code)
    if done.recovery_codes:
        carry_codes(response, done.recovery_codes)
    if done.api_key:
        shown_keys.carry_key(response, **done.api_key)
    if done.delete_cookie:
        name, path = done.delete_cookie
        response.delete_cookie(name, path=path, secure=current_app.config["JWT_COOKIE_SECURE"])
    return response
