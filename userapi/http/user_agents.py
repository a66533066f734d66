"""Descriptions of user agents with known names only, so that no input of a client is repeated."""

import re

from flask_babel import gettext as _
from flask_babel import lazy_gettext

#: The first match counts, because browsers also name the browsers that they derive from.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox|FxiOS", "Firefox"),
    ("Chrome|CriOS|Chromium", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python|okhttp|Java/|Go-http", lazy_gettext("a program")),
)
SYSTEMS = (
    ("iPhone|iPad", "iOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X|Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def describe_user_agent(user_agent: str | None) -> str:
    """A browser and its system, such as "Firefox on Windows"; "an unknown device" if neither is known."""
    browser, system = _first_match(BROWSERS, user_agent), _first_match(SYSTEMS, user_agent)
    if browser and system:
        return str(_("%(browser)s on %(system)s", browser=browser, system=system))
    return str(browser or system or _("an unknown device"))


def is_mobile(user_agent: str | None) -> bool:
    """Whether a browser is on a phone or tablet."""
    return _first_match(SYSTEMS, user_agent) in ("iOS", "Android")


def _first_match(known: tuple[tuple[str, str], ...], user_agent: str | None) -> str | None:
    return next((name for pattern, name in known if re.search(pattern, user_agent or "")), None)
