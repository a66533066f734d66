"""The colour scheme that was chosen in this browser with `?theme=dark`; without a choice the system decides."""

from typing import NamedTuple

from flask import Flask, Response, after_this_request, current_app, g, request
from flask_babel import gettext as _

from userapi.core import i18n, private_cookies

THEME_ARGUMENT = "theme"
THEME_COOKIE = "theme"
THEME_COOKIE_SECONDS = 365 * 86400

#: The schemes that CSS knows, and the choice that forgets the cookie.
SCHEMES = ("light", "dark")
SYSTEM = "system"


class ThemeChoice(NamedTuple):
    """A colour scheme that a page can be shown in.

    Attributes:
        name: `system`, `light` or `dark`.
        label: for people.
        icon: of `ui.icon`.
        url: where this page is shown in it.
        is_present: whether this page is.
    """

    name: str
    label: str
    icon: str
    url: str
    is_present: bool


def configure(app: Flask) -> None:
    """Offer the chosen scheme, and the choices, to templates."""
    app.jinja_env.globals.update(color_scheme=get_theme, color_schemes=list_theme_choices)


def get_theme() -> str:
    """The chosen scheme, `light` or `dark`; empty without a choice. A new choice is remembered by the response."""
    chosen = request.args.get(THEME_ARGUMENT)
    if chosen in (*SCHEMES, SYSTEM):
        if "theme_remembered" not in g:
            g.theme_remembered = True
            after_this_request(_remember_theme)
        return chosen if chosen in SCHEMES else ""
    remembered = request.cookies.get(THEME_COOKIE, "")
    return remembered if remembered in SCHEMES else ""


def list_theme_choices() -> list[ThemeChoice]:
    """Every scheme, with the URL of this page in it."""
    present = get_theme() or SYSTEM
    labels = (
        (SYSTEM, _("System theme"), "device-desktop"),
        ("light", _("Light"), "sun"),
        ("dark", _("Dark"), "moon"),
    )
    return [
        ThemeChoice(name, label, icon, i18n.url_of_this_page(**{THEME_ARGUMENT: name}), name == present)
        for name, label, icon in labels
    ]


def _remember_theme(response: Response) -> Response:
    chosen = request.args[THEME_ARGUMENT]
    if chosen == SYSTEM:
        secure = current_app.config["JWT_COOKIE_SECURE"]
        response.delete_cookie(THEME_COOKIE, secure=secure, httponly=True, samesite="Lax")
    else:
        private_cookies.set_cookie(response, THEME_COOKIE, chosen, THEME_COOKIE_SECONDS)
    return response
