"""The texts in the sources, and the catalogues of their translations."""

from functools import lru_cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

import config

TRANSLATIONS = config.ROOT / "userapi" / "translations"

#: The same as `make translations` names.
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "lazy_ngettext": (1, 2)}

LANGUAGES = sorted(path.name for path in TRANSLATIONS.glob("??*"))


@lru_cache
def source_messages() -> Catalog:
    """Every text that the sources and templates mark."""
    with (config.ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    catalogue = Catalog()
    found = extract_from_dir(config.ROOT / "userapi", methods, options, KEYWORDS)
    for path, line, text, comments, context in found:
        catalogue.add(text, locations=[(path, line)], auto_comments=comments, context=context)
    return catalogue


def po_path(language: str) -> Path:
    """The catalogue that translators write."""
    return TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"


@lru_cache
def read_catalog(language: str) -> Catalog:
    """The texts of a language."""
    with po_path(language).open("rb") as file:
        return read_po(file, language)
