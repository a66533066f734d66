"""Saves what was typed into a form whose session has ended, and shows it again after the sign-in.

The values wait in a sealed cookie. The form is shown filled in, never submitted. Every form carries a sealed `form_id`
that names the user it was shown to: the values go back to that user only, and no other site can fill in a form here.
Passwords and tokens are not saved.
"""

import hmac
import re
from hashlib import sha256
from typing import Any

import orjson
from flask import Response, after_this_request, g, request, url_for
from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from userapi.auth import authentication, cookies
from userapi.core import private_cookies
from userapi.core.problems import Problem
from userapi.http.page_paths import find_page_above
from userapi.security import encryption, signing_keys

from . import csrf
from .flash import flash, has_messages
from .redirects import see_other

FIELD = "form_id"
COOKIE = "kept_form"

#: Seconds for which a form may stay open, and for which what was typed is saved.
FORM_MAX_AGE = 30 * 86_400
SAVED_MAX_AGE = 3600

#: Browsers reject cookies of more than 4096 bytes, name and attributes included.
MAX_COOKIE_LENGTH = 3800

#: Fields that are not saved: secrets, and what belongs to the old page.
NOT_SAVED = re.compile(r"password|token|secret|^(code|form_id|next)$", re.IGNORECASE)


def form_id(user_id: int | None) -> str:
    """The `form_id` of the forms on this page.

    Args:
        user_id: the signed-in user; None for a visitor.
    """
    if "form_id" not in g:
        g.form_id = encryption.encrypt_json("form", {"user": user_id})
    sealed: str = g.form_id
    return sealed


def submission_key() -> str | None:
    """A digest of the submitted form and its values; None without a `form_id`, and when files were uploaded.

    It does not reveal a password in the form, because `form_id` is random.
    """
    if not request.form.get(FIELD) or request.files:
        return None
    submitted = orjson.dumps([request.path, sorted(request.form.items(multi=True))])
    return hmac.new(signing_keys.derive_key("form-submissions"), submitted, sha256).hexdigest()


def redirect_to_sign_in(query: str = "") -> Response:
    """Redirect to the sign-in, which leads back to the requested page or to the submitted form with its values.

    Args:
        query: the query string of the page that shows the form.
    """
    if cookies.get_own_session() is not None:
        from . import own_session  # nothing of it is imported before it is used

        if (response := own_session.return_to_it()) is not None:
            return response
    if request.method in ("GET", "HEAD"):
        if cookies.has_token_cookies():
            _flash_session_ended()
        return cookies.delete_token_cookies(
            see_other(url_for("pages.show_sign_in", next=request.full_path.rstrip("?")))
        )
    path = find_page_above(request.path)
    response = see_other(url_for("pages.show_sign_in", next=_with_query(path, query)))
    if cookies.has_token_cookies() or _user_of_form() is not None:  # otherwise another site may have submitted the form
        if save_form(response, path):
            _flash_session_ended()
        else:
            flash(
                _(
                    "Your session has ended. Sign in to continue. What you typed could not be saved: "
                    "to keep it, go back in your browser and copy it first."
                )
            )
    return cookies.delete_token_cookies(response)


def redirect_to_form(query: str = "") -> Response | None:
    """Redirect to the page of a form that was opened in an earlier session.

    The page shows what was typed, unless another user has signed in since.

    Args:
        query: the query string of that page.

    Returns:
        None when the form is not from this site.
    """
    path, user = find_page_above(request.path), authentication.find_user_by_cookie()
    response = see_other(_with_query(path, query))
    if user is not None and _user_of_form() not in (None, user.id):
        flash(
            _(
                "You opened this form with another account, so nothing was saved. You are now signed in as %(email)s.",
                email=user.email,
            ),
            "warning",
        )
        return response
    if FIELD not in request.form or not save_form(response, path):
        return None
    flash(_("You have signed in again since you opened this form, so nothing was saved. Check it and submit it again."))
    return response


def save_form(response: Response, path: str) -> bool:
    """Save the submitted values for the page that shows the form.

    Args:
        response: gets the cookie.
        path: of that page.

    Returns:
        False if values are lost.
    """
    user_id, form = _user_of_form(), _submitted_form()
    if form is None or any(file.filename for file in request.files.values()):
        return False
    values = [pair for pair in form.items(multi=True) if not NOT_SAVED.search(pair[0])]
    if not values:
        return True
    if user_id is None:
        return False
    sealed = encryption.encrypt_json("kept", {"user": user_id, "path": path, "values": values})
    if len(sealed) > MAX_COOKIE_LENGTH:
        return False
    private_cookies.set_cookie(response, COOKIE, sealed, SAVED_MAX_AGE, path)
    return True


def seal_form(user_id: int) -> str | None:
    """The submitted form, encrypted, to be offered again on the next page; None if it has passwords or files."""
    values = [(name, value) for name, value in request.form.items(multi=True) if name not in (FIELD, csrf.FIELD)]
    has_secrets = any(value and NOT_SAVED.search(name) for name, value in values if name != "next")
    if has_secrets or any(file.filename for file in request.files.values()):
        return None
    path = request.full_path.rstrip("?")
    return encryption.encrypt_json("form-to-submit", {"user": user_id, "path": path, "values": values})


def unseal_form(sealed: str, user_id: int) -> dict[str, Any] | None:
    """The `path` and the `values` of a form that `seal_form` encrypted for this user; None for anything else."""
    form = encryption.decrypt_json("form-to-submit", sealed, SAVED_MAX_AGE)
    return form if isinstance(form, dict) and form.get("user") == user_id else None


def take_saved_form(user_id: int) -> MultiDict[str, str] | None:
    """The values that this user typed into a form of this page before the session ended; the cookie is then deleted."""
    sealed = request.cookies.get(COOKIE)
    if sealed is None:
        return None
    after_this_request(_delete_cookie)
    saved: Any = encryption.decrypt_json("kept", sealed, SAVED_MAX_AGE)
    if not isinstance(saved, dict) or (saved.get("user"), saved.get("path")) != (user_id, request.path):
        return None
    if not has_messages():
        flash(
            _(
                "This is what you typed before your session ended. "
                "It has not been saved yet: check it and submit it again."
            )
        )
    return MultiDict([(str(name), str(value)) for name, value in saved["values"]])


def _flash_session_ended() -> None:
    flash(_("Your session has ended. Sign in to continue."))


def _with_query(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path


def _user_of_form() -> int | None:
    """The user to whom the submitted form was shown; None for a visitor, and when the form is not from this site."""
    form = _submitted_form()
    content = encryption.decrypt_json("form", form.get(FIELD, "") if form else "", FORM_MAX_AGE)
    return content.get("user") if isinstance(content, dict) else None


def _submitted_form() -> MultiDict[str, str] | None:
    """The form of this request; None when it is too large or malformed, because this response is not about that."""
    try:
        return request.form
    except (HTTPException, Problem):
        return None


def _delete_cookie(response: Response) -> Response:
    return private_cookies.delete_cookie(response, COOKIE, request.path)
