"""Forms that work once, as a registration: a second click is answered like the first one, not with its error."""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from typing import Any

from flask import Response

from userapi.auth import cookies, saved_forms, sign_in
from userapi.core import i18n
from userapi.core.db import db
from userapi.http import flash, submissions
from userapi.security import encryption

from . import page_auth, prefilled, redirects

#: How long what a form led to can be read. It is sealed: it may name an email, and its row outlives a deleted account.
SEALED_SECONDS = 120


@dataclass(frozen=True)
class Done:
    """What a form that succeeded leads to.

    Attributes:
        path: the page to go to.
        notice: what it says first, one of `notices.TEXTS`.
        session_id: the session that this browser is signed in to.
        email: stands in the sign-in form.
        language: of the account; the browser keeps it.
        forgets: a cookie to drop, and its path.
    """

    path: str
    notice: str | None = None
    session_id: str | None = None
    email: str | None = None
    language: str | None = None
    forgets: tuple[str, str] | None = None


def once(view: Callable[..., Done]) -> Callable[..., Response]:
    """Commit what a view did, and answer with what it leads to; the same form sent again gets the same answer."""

    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        key = saved_forms.submission_key()
        before = submissions.claim(key) if key else None
        known = encryption.decrypt_json("page-answer", before.get("sealed", ""), SEALED_SECONDS) if before else None
        done = Done(**known) if known is not None else view(**arguments)
        response = _answer(done)
        if key and known is None:
            submissions.finish(key, {"sealed": encryption.encrypt_json("page-answer", asdict(done))})
        db.session.commit()
        return response

    return wrapper


def _answer(done: Done) -> Response:
    response = redirects.see_other(done.path)
    if done.session_id and (pair := sign_in.issue_browser_pair(uuid.UUID(done.session_id))):
        page_auth.forget_visitor(cookies.set_token_cookies(response, pair))
    if done.notice:
        flash.leave(response, done.notice)
    if done.email:
        prefilled.put(response, done.email)
    if done.language and not (done.session_id and i18n.chosen()):
        i18n.remember(response, done.language)
    if done.forgets:
        response.delete_cookie(done.forgets[0], path=done.forgets[1])
    return response
