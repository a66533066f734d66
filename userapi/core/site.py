"""The name, logo, colour and support address of the site, which templates of pages and emails know as `site`."""

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, current_app
from flask_babel import gettext
from markupsafe import Markup

from . import colors
from .site_logo import Logo, read_logo

#: The colour without SITE_COLOR.
DEFAULT_COLOR = "#0f766e"

#: The backgrounds of `static/ui/tokens.css` that links and borders must stand out from in each mode.
LIGHT_SURFACES = ("#ffffff", "#f5f7f8", "#eef2f3", "#edf1f2", "#e3f2ef")
DARK_SURFACES = ("#11171b", "#192127", "#202a31", "#222d34", "#17332f")

#: Mail programs that block images or do not know a format show the name; few know SVG or WebP.
EMAIL_LOGO_TYPE = "image/png"

LOGO_PATH = "/site-logo"


@dataclass(frozen=True)
class Palette:
    """The colours that follow from the site's colour, for pages of one mode.

    Attributes:
        primary: the background of the main buttons.
        primary_text: text on it.
        primary_hover: the background under the pointer, with the same text.
        link: links and other text on the page.
        focus: focus rings and borders.
    """

    primary: str
    primary_text: str
    primary_hover: str
    link: str
    focus: str

    @classmethod
    def of(cls, color: str, surfaces: tuple[str, ...]) -> "Palette":
        """The palette of a colour on some surfaces."""
        text = colors.text_on(color)
        return cls(
            primary=color,
            primary_text=text,
            primary_hover=colors.mix(color, colors.BLACK if text == colors.WHITE else colors.WHITE, 0.15),
            link=colors.readable_on(color, surfaces, colors.TEXT_CONTRAST),
            focus=colors.readable_on(color, surfaces, colors.NON_TEXT_CONTRAST),
        )


#: The palettes without SITE_COLOR, which `static/ui/tokens.css` has too.
DEFAULT_LIGHT = Palette(DEFAULT_COLOR, colors.WHITE, "#0c5f58", "#0d6b64", DEFAULT_COLOR)
DEFAULT_DARK = Palette(DEFAULT_COLOR, colors.WHITE, "#0c5f58", "#5fd4c4", "#5fd4c4")


class Site:
    """What the settings say about the site.

    Attributes:
        logo: the file SITE_LOGO; None without one.
        color: SITE_COLOR, or the default.
        has_own_color: whether SITE_COLOR is set.
        support_email: SUPPORT_EMAIL; empty without one.
        host: the host of SITE_URL, with its port.
    """

    def __init__(self, name: str, logo: Logo | None, color: str, support_email: str, url: str) -> None:
        self._name = name
        self._url = url
        self.logo = logo
        self.color = color or DEFAULT_COLOR
        self.has_own_color = bool(color)
        self.support_email = support_email
        self.host = urlsplit(url).netloc

    def __str__(self) -> str:
        """What sentences call the site, as "your account at %(site)s": SITE_NAME, or the host."""
        return self._name or self.host

    @property
    def name(self) -> str:
        """What headings and titles call the site: SITE_NAME, or "User accounts" in the present language."""
        return self._name or str(gettext("User accounts"))

    @cached_property
    def logo_version(self) -> str:
        """A hash of the logo; empty without one."""
        return hashlib.blake2b(self.logo.content, digest_size=8).hexdigest() if self.logo else ""

    @property
    def logo_url(self) -> str:
        """The path of the logo, which changes with its content; empty without one."""
        return f"{LOGO_PATH}?v={self.logo_version}" if self.logo else ""

    @property
    def email_logo_url(self) -> str:
        """The URL of the logo for emails; empty unless it is a PNG file."""
        is_shown = self.logo is not None and self.logo.media_type == EMAIL_LOGO_TYPE
        return f"{self._url}{self.logo_url}" if is_shown else ""

    @cached_property
    def light(self) -> Palette:
        """The colours on light pages."""
        return Palette.of(self.color, LIGHT_SURFACES) if self.has_own_color else DEFAULT_LIGHT

    @cached_property
    def dark(self) -> Palette:
        """The colours on dark pages."""
        if not self.has_own_color:
            return DEFAULT_DARK
        return Palette.of(colors.readable_on(self.color, DARK_SURFACES, colors.NON_TEXT_CONTRAST), DARK_SURFACES)

    @cached_property
    def theme_css(self) -> Markup:
        """CSS that replaces the default colours of `static/ui/tokens.css` in both modes."""
        pairs = zip(asdict(self.light).items(), asdict(self.dark).values(), strict=True)
        properties = (f"--ui-{name.replace('_', '-')}:light-dark({light},{dark})" for (name, light), dark in pairs)
        return Markup(f":root{{{';'.join(properties)}}}")  # noqa: S704 - every value is `#rrggbb`


def configure(app: Flask) -> None:
    """Offer `site` to all templates."""
    path = app.config["SITE_LOGO"]
    app.extensions["userapi-site"] = app.jinja_env.globals["site"] = Site(
        name=app.config["SITE_NAME"],
        logo=read_logo(Path(path)) if path else None,
        color=app.config["SITE_COLOR"],
        support_email=app.config["SUPPORT_EMAIL"],
        url=app.config["SITE_URL"],
    )


def get_site() -> Site:
    """The site of the current application."""
    found: Site = current_app.extensions["userapi-site"]
    return found
