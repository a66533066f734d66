"""Suggestions for fields of the profile, which accept any text."""

import functools
import re
from datetime import date

from babel import Locale
from flask_babel import get_locale, lazy_gettext
from flask_babel import gettext as _

from userapi.core import i18n

TITLES = (
    lazy_gettext("Ms"),
    lazy_gettext("Mr"),
    lazy_gettext("Mrs"),
    lazy_gettext("Mx"),
    lazy_gettext("Dr"),
    lazy_gettext("Prof"),
)

#: Codes of countries and territories (ISO 3166-1), and those that name none.
COUNTRY_CODE = re.compile(r"[A-Z]{2}")
NO_COUNTRIES = ("EU", "EZ", "QO", "UN", "XA", "XB", "ZZ")

#: Its day is no month and its month is named, so that no order of day and month can be misread.
EXAMPLE_BIRTHDAY = date(1990, 12, 31)


def get_birthday_hint() -> str:
    """An example of a date of birth in the language of the page."""
    return str(_("For example, %(date)s", date=i18n.format_long_day(EXAMPLE_BIRTHDAY)))


def list_titles() -> list[str]:
    """Titles in the language of the page; where two have the same translation, once."""
    return list(dict.fromkeys(str(title) for title in TITLES))


def list_countries() -> tuple[str, ...]:
    """The names of all countries and territories in the language of the page, in alphabetical order."""
    return _list_territories(str(get_locale() or "en"))


@functools.lru_cache(maxsize=16)
def _list_territories(locale: str) -> tuple[str, ...]:
    territories = Locale.parse(locale).territories
    names = {name for code, name in territories.items() if COUNTRY_CODE.fullmatch(code) and code not in NO_COUNTRIES}
    return tuple(sorted(names, key=str.casefold))


#: By the names of fields: functions, because the texts are in the language of the page.
SUGGESTIONS = {"title": list_titles, "country": list_countries}
