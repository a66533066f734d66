"""The countries of ISO 3166-1 by their alpha-2 codes, with names from Babel's locale data."""

from functools import lru_cache
from typing import Any

from babel import Locale
from flask_babel import get_locale

#: Territories of the locale data that ISO 3166-1 does not list: reserved and private codes, and parts of countries.
NOT_COUNTRIES = frozenset(
    {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"}
)  # fmt: skip


@lru_cache(maxsize=1)
def country_codes() -> tuple[str, ...]:
    """Every alpha-2 code, sorted."""
    codes = map(str, Locale("en").territories)
    return tuple(sorted({code for code in codes if len(code) == 2 and code.isalpha()} - NOT_COUNTRIES))


def list_countries() -> list[tuple[str, str]]:
    """The codes with their names in the current language, sorted by name."""
    names = _names()
    return sorted(((code, names.get(code, code)) for code in country_codes()), key=lambda pair: pair[1].casefold())


def country_name(code: str) -> str:
    """The name of a country in the current language, or its code."""
    return _names().get(code, code)


def _names() -> dict[str, str]:
    locale: Any = get_locale() or Locale("en")
    names: dict[str, str] = locale.territories
    return names
