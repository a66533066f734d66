"""Languages: how the language of a response is chosen, and dates, numbers and texts of libraries in it.

The order is: the language chosen here (`?lang=de`, kept in a cookie), `Accept-Language`, the language of the account,
the default in the settings. Commands use the language of the shell. The language is chosen when a text is first needed,
so responses without texts have no cost and declare no language.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

from babel import Locale, dates, lists, numbers
from flask import Flask, Response, after_this_request, current_app, has_request_context, request
from flask.globals import request_ctx
from flask_babel import Babel, force_locale, get_locale, gettext, lazy_gettext

from . import clock, context, private_cookies
from .language_negotiation import negotiate_language

#: The query parameter that chooses a language, and the cookie that stores the choice.
LANGUAGE_ARGUMENT = "lang"
LANGUAGE_COOKIE = "language"
LANGUAGE_COOKIE_SECONDS = 365 * 86400

#: Paths whose query may contain secrets, so that no link may repeat it.
SECRET_QUERIES = ("/auth/",)

#: The maximum number of characters of `Accept-Language` that are read.
MAX_HEADER_LENGTH = 300

#: The environment variables for the language of the shell; the first that is set counts (POSIX, section 8.2).
SHELL_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")

#: The units of durations, in seconds.
UNIT_SECONDS: dict[Literal["day", "hour", "minute", "second"], int] = {
    "day": 86400,
    "hour": 3600,
    "minute": 60,
    "second": 1,
}

#: English texts have international readers, so days come before months and the clock has 24 hours.
FORMAT_LOCALES = {"en": Locale("en", "GB")}

#: Marshmallow's own messages; those with numbers in them come from `userapi.http.fields`.
MARSHMALLOW_MESSAGES = (
    lazy_gettext("Missing data for required field."),
    lazy_gettext("Field may not be null."),
    lazy_gettext("Invalid value."),
    lazy_gettext("Invalid type."),
    lazy_gettext("Invalid input type."),
    lazy_gettext("Unknown field."),
    lazy_gettext("Not a valid string."),
    lazy_gettext("Not a valid integer."),
    lazy_gettext("Not a valid number."),
    lazy_gettext("Not a valid boolean."),
    lazy_gettext("Not a valid UUID."),
    lazy_gettext("Not a valid date."),
    lazy_gettext("Not a valid datetime."),
    lazy_gettext("Not a valid list."),
    lazy_gettext("Not a valid mapping type."),
)


class LanguageChoice(NamedTuple):
    """A language in which a page is available.

    Attributes:
        tag: its BCP 47 tag.
        name: its name in the language itself.
        url: the URL of this page in the language.
        is_present: whether this page is in the language.
    """

    tag: str
    name: str
    url: str
    is_present: bool


def configure(app: Flask) -> None:
    """Make the languages in the settings available, the default first."""
    tags = dict.fromkeys((app.config["DEFAULT_LANGUAGE"], *app.config["LANGUAGES"]))
    app.extensions["userapi-languages"] = {tag: Locale.parse(tag, sep="-") for tag in tags}
    Babel(
        app, default_locale=str(Locale.parse(app.config["DEFAULT_LANGUAGE"], sep="-")), locale_selector=_select_locale
    )
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.globals.update(
        language=get_language_tag,
        direction=get_text_direction,
        languages=list_language_choices,
        in_words=format_timestamp,
        from_now=format_time_until,
        ago=format_time_since,
        number=format_number,
    )


def add_translations(app: Flask, folder: Path) -> None:
    """Look texts up in the catalogues of a folder too; where ours have a text as well, ours count."""
    folders: list[str] = app.extensions["babel"].translation_directories
    folders.insert(0, str(folder.absolute()))


def get_language_tag() -> str:
    """The BCP 47 tag of the current language, such as `de` or `pt-BR`."""
    return str(get_locale() or "en").replace("_", "-")


def get_text_direction() -> str:
    """The direction of the current language: `ltr` or `rtl`."""
    return str(get_locale().text_direction)


def get_chosen_language() -> str | None:
    """The language that was chosen in this browser, or None."""
    candidates = (request.args.get(LANGUAGE_ARGUMENT), request.cookies.get(LANGUAGE_COOKIE))
    return next((tag for tag in candidates if tag in get_offered_languages()), None)


def get_requested_language() -> str | None:
    """Return the available language that this request prefers; None if it names none, and outside a request."""
    if not has_request_context():
        return None
    header = request.headers.get("Accept-Language", "")[:MAX_HEADER_LENGTH]
    return get_chosen_language() or negotiate_language(header, tuple(get_offered_languages()))


def get_default_language() -> str:
    """The BCP 47 tag of the default language of the site."""
    return next(iter(get_offered_languages()))


def get_offered_languages() -> dict[str, Locale]:
    """The available languages by tag, the default first."""
    found: dict[str, Locale] = current_app.extensions["userapi-languages"]
    return found


def list_language_choices() -> list[LanguageChoice]:
    """The available languages, with the URL of this page in each."""
    present = get_language_tag()
    return [
        LanguageChoice(other, _own_name(locale), url_of_this_page(**{LANGUAGE_ARGUMENT: other}), other == present)
        for other, locale in get_offered_languages().items()
    ]


def url_of_this_page(**changed: str) -> str:
    """The URL of this page with some arguments changed, for links between languages and themes.

    It has only a query, because the path of a page may contain a secret. After a form whose path has no page, or on a
    page that is another one without its query, it leads to the front page.
    """
    adapter = request_ctx.url_adapter
    needs_query = request.path.startswith(SECRET_QUERIES)
    has_page = not needs_query and adapter is not None and adapter.test(request.path, method="GET")
    path = "" if has_page else "/"
    query = request.args.to_dict() if request.method in ("GET", "HEAD") and not needs_query else {}
    return f"{path}?{urlencode({**query, **changed}, errors='replace')}"


def remember_language(response: Response, language: str | None) -> Response:
    """Store the chosen language in a cookie; None changes nothing."""
    if language in get_offered_languages() and language != request.cookies.get(LANGUAGE_COOKIE):
        private_cookies.set_cookie(response, LANGUAGE_COOKIE, str(language), LANGUAGE_COOKIE_SECONDS)
    return response


@contextmanager
def use_language(language: str | None) -> Iterator[None]:
    """Use a language for all texts in the block; that of the request if it is None or not offered.

    The texts are for another user, so the response does not name their language.
    """
    with force_locale(get_offered_languages().get(language or "") or _current_locale()):
        yield


def to_english(text: Any) -> str:
    """The English source of a text, for headers, which are ASCII."""
    with force_locale("en"):
        return str(text)


def translate_messages(messages: Any) -> Any:
    """Translate a tree of messages: ours are translated already, those of libraries are looked up."""
    if isinstance(messages, dict):
        return {str(name): translate_messages(found) for name, found in messages.items()}  # lists have numbers
    if isinstance(messages, list | tuple):
        return [translate_messages(found) for found in messages]
    text = str(messages)
    return gettext(text) if text else text


def format_timestamp(moment: datetime) -> str:
    """A time for readers: `24 November 2026, 17:45 UTC`."""
    moment, locale = moment.astimezone(UTC), _format_locale()
    return str(
        gettext(
            "%(day)s, %(time)s UTC",
            day=dates.format_date(moment, "long", locale),
            time=dates.format_time(moment, "short", UTC, locale),
        )
    )


def format_time_until(seconds: int) -> str:
    """A duration in the largest unit that divides it: `in 90 minutes`, `in 1 hour`, `in 7 days`."""
    unit = next(unit for unit, length in UNIT_SECONDS.items() if seconds % length == 0)
    never = float("inf")  # so that Babel does not round to a larger unit
    return dates.format_timedelta(seconds, unit, never, add_direction=True, locale=_format_locale())


def format_time_since(moment: datetime) -> str:
    """How long ago a moment was, or how far ahead it is, in one unit: `3 hours ago`, `in 2 days`."""
    return dates.format_timedelta(moment - clock.now(), add_direction=True, locale=_format_locale())


def preload_locale_data() -> None:
    """Load the data for dates and numbers in the default language before a fork, not in each process after it."""
    with force_locale(next(iter(get_offered_languages().values()))):
        format_timestamp(clock.now())
        format_number(0)


def format_short_day(day: date) -> str:
    """A date without its year: `24 Nov`."""
    return dates.format_skeleton("MMMd", day, locale=_format_locale())


def format_long_day(day: date) -> str:
    """A day with its year: `24 November 2026`."""
    return dates.format_date(day, "long", _format_locale())


def format_number(value: int) -> str:
    """A number with separators for thousands: `12,345`."""
    return numbers.format_decimal(value, locale=_format_locale())


def format_list(words: Iterable[Any]) -> str:
    """Words joined to a list: `member of staff and superuser`."""
    return lists.format_list([str(word) for word in words], locale=_format_locale())


def _select_locale() -> Locale:
    """Choose the language of a response, and declare it later; Flask-Babel calls this once if there are texts."""
    if has_request_context():
        after_this_request(_name_language)
    return _current_locale()


def _current_locale() -> Locale:
    """Return the locale of the current request, or of the shell."""
    if has_request_context():
        wanted = get_requested_language() or getattr(context.current_user(), "language", None)
    else:
        shell = next(filter(None, map(os.environ.get, SHELL_VARIABLES)), "")
        wanted = negotiate_language(shell.partition(".")[0].partition("@")[0], tuple(get_offered_languages()))
    return get_offered_languages().get(wanted or "") or next(iter(get_offered_languages().values()))


def _name_language(response: Response) -> Response:
    """Add Content-Language and Vary if the response has texts; store a choice that was made on a page."""
    if "Content-Language" in response.headers:
        return response
    response.headers["Content-Language"] = get_language_tag()
    response.headers.add("Vary", "Accept-Language, Cookie")
    chosen = request.args.get(LANGUAGE_ARGUMENT)
    return (
        remember_language(response, chosen)
        if chosen in get_offered_languages() and response.mimetype == "text/html"
        else response
    )


def _format_locale() -> Locale:
    locale: Locale = get_locale() or Locale("en")
    return FORMAT_LOCALES.get(str(locale), locale)


def _own_name(locale: Locale) -> str:
    name = locale.get_display_name(locale) or str(locale)
    return name[:1].upper() + name[1:]
