"""Which columns the user list shows: a choice that is remembered in the browser."""

from collections.abc import Sequence

from flask import Response, current_app, request
from flask_babel import lazy_gettext

COOKIE = "user_columns"
COOKIE_SECONDS = 365 * 86400

#: The columns beside the email and name, in their order, with their labels.
COLUMNS = {
    "status": lazy_gettext("Status"),
    "id": lazy_gettext("ID"),
    "language": lazy_gettext("Language"),
    "city": lazy_gettext("City"),
    "country": lazy_gettext("Country"),
    "date_joined": lazy_gettext("Joined"),
    "last_login": lazy_gettext("Last sign-in"),
}

DEFAULT = ("status", "country", "date_joined", "last_login")

#: Between the names in the cookie.
SEPARATOR = "."


def get_columns() -> list[str]:
    """The names of the columns to show."""
    text = request.cookies.get(COOKIE)
    chosen = DEFAULT if text is None else text.split(SEPARATOR)
    return [name for name in COLUMNS if name in chosen]


def remember_columns(response: Response, chosen: Sequence[str]) -> Response:
    """Let the browser keep a choice; unknown names are ignored."""
    names = [name for name in COLUMNS if name in chosen]
    response.set_cookie(
        COOKIE,
        SEPARATOR.join(names),
        max_age=COOKIE_SECONDS,
        path="/admin/users/",
        secure=current_app.config["JWT_COOKIE_SECURE"],
        httponly=True,
        samesite="Lax",
    )
    return response
