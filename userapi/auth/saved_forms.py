"""What was typed into a form whose session has ended: kept in a sealed cookie and shown again after the sign-in.

The form is shown filled in, never submitted. Each form carries a sealed note of whom it was shown to, so what is in it
is given back to that user alone, and no other site can put words into a form here. Secrets are not kept.
"""

import hmac
import re
from hashlib import sha256
from typing import Any

import orjson
from flask import Response, after_this_request, current_app, g, request, url_for
from flask.globals import request_ctx
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from userapi.core.problems import Problem
from userapi.http import flash
from userapi.security import encryption, signing_keys

from . import cookies

FIELD = "form_id"
COOKIE = "kept_form"

#: How long a form may stay open to be known, and how long what was typed is kept, in seconds.
FORM_SECONDS = 30 * 86_400
KEPT_SECONDS = 3600

#: Browsers refuse cookies of more than 4096 bytes, name and attributes included.
LONGEST = 3800

#: Fields that are not kept: secrets, and what belongs to the old page.
NOT_KEPT = re.compile(r"password|token|secret|^(code|form_id|next)$", re.IGNORECASE)


def form_id(user_id: int | None) -> str:
    """The hidden value that every form of this page carries: whom it was shown to, and a name of its own.

    Args:
        user_id: who is signed in; None for a visitor.
    """
    if "form_id" not in g:
        g.form_id = encryption.encrypt_json("form", {"user": user_id})
    sealed: str = g.form_id
    return sealed


def submission_key() -> str | None:
    """A digest of the form of this request and everything in it; None when no form of ours was sent, or a file.

    It tells nothing of a password in the form: the form's own name is random.
    """
    if not request.form.get(FIELD) or request.files:
        return None
    sent = orjson.dumps([request.path, sorted(request.form.items(multi=True))])
    return hmac.new(signing_keys.derive_key("form-submissions"), sent, sha256).hexdigest()


def send_to_sign_in(query: str = "") -> Response:
    """Ask for a sign-in that leads back to what was looked at, or to the form that was sent, with what was typed.

    Args:
        query: of the page that shows the form.
    """
    if request.method in ("GET", "HEAD"):
        response = _see_other(url_for("pages.show_login", next=request.full_path.rstrip("?")))
        if cookies.has_token_cookies():
            flash.leave(response, "session_over")
        return cookies.delete_token_cookies(response)
    path = path_of_form()
    response = _see_other(url_for("pages.show_login", next=_with_query(path, query)))
    if cookies.has_token_cookies() or _shown_to() is not None:  # else a form of another site may have been sent
        flash.leave(response, "session_over" if save_form(response, path) else "form_not_kept")
    return cookies.delete_token_cookies(response)


def reopen_form(query: str = "") -> Response | None:
    """Lead to the page of a form that was opened in an earlier session, with what was typed.

    Args:
        query: of that page.

    Returns:
        A redirect; None when no form of ours was sent.
    """
    path = path_of_form()
    response = _see_other(_with_query(path, query))
    if FIELD not in request.form or not save_form(response, path):
        return None
    return flash.leave(response, "form_from_before")


def _with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _see_other(location: str) -> Response:
    return Response(status=303, headers={"Location": location})


def save_form(response: Response, path: str) -> bool:
    """Let the browser keep what this request typed, for the page that shows the form.

    Args:
        response: gets the cookie.
        path: of that page.

    Returns:
        Whether nothing is lost: it is kept, or nothing was typed.
    """
    user_id, form = _shown_to(), _form()
    if form is None or any(file.filename for file in request.files.values()):
        return False
    values = [pair for pair in form.items(multi=True) if not NOT_KEPT.search(pair[0])]
    if not values:
        return True
    if user_id is None:
        return False
    sealed = encryption.encrypt_json("kept", {"user": user_id, "path": path, "values": values})
    if len(sealed) > LONGEST:
        return False
    secure = current_app.config["JWT_COOKIE_SECURE"]
    response.set_cookie(COOKIE, sealed, max_age=KEPT_SECONDS, path=path, httponly=True, secure=secure, samesite="Lax")
    return True


def _shown_to() -> int | None:
    """The user to whom the form of this request was shown; None for a visitor, and when the form is none of ours."""
    form = _form()
    note = encryption.decrypt_json("form", form.get(FIELD, "") if form else "", FORM_SECONDS)
    return note.get("user") if isinstance(note, dict) else None


def _form() -> MultiDict[str, str] | None:
    """The form of this request; None when it is too large or malformed, which is not what this answer is about."""
    try:
        return request.form
    except (HTTPException, Problem):
        return None


def load_form(user_id: int) -> MultiDict[str, str] | None:
    """What this user typed into a form of this page before the session ended; the browser forgets it then."""
    sealed = request.cookies.get(COOKIE)
    if sealed is None:
        return None
    after_this_request(_forget)
    kept: Any = encryption.decrypt_json("kept", sealed, KEPT_SECONDS)
    if not isinstance(kept, dict) or (kept.get("user"), kept.get("path")) != (user_id, request.path):
        return None
    return MultiDict([(str(name), str(value)) for name, value in kept["values"]])


def path_of_form() -> str:
    """The path of the page that shows the form of this request: its own, or the nearest one above that can be read."""
    adapter, path = request_ctx.url_adapter, request.path
    while path != "/" and (adapter is None or not adapter.test(path, method="GET")):
        path = path.rstrip("/").rpartition("/")[0] + "/"
    return path


def _forget(response: Response) -> Response:
    response.delete_cookie(COOKIE, path=request.path, httponly=True, secure=current_app.config["JWT_COOKIE_SECURE"])
    return response
