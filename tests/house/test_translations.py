"""The catalogues: complete, with the same placeholders, and compiled from their sources."""

import ast
import re
from io import BytesIO

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo
from babel.messages.plurals import get_plural

import config
from tests.support.translation_catalogs import LANGUAGES, po_path, read_catalog, source_messages

HOW_TO_FIX = "run `make translations`, translate what is empty, and run it again"

#: What a translation must contain as often as the text: placeholders, elements, examples.
PARTS = re.compile(r"%\(\w+\)[sd]|\{\w*\}|</?\w+[^>]*>|`[^`]+`|/[a-z-]+/(?:[a-z-]+/)*|\b[A-Z]+(?:_[A-Z]+)+\b")

#: Placeholders that a plural form may spell out: no users, one user, two users.
NUMBERS = {"%(num)s", "%(count)s", "%(shown)s"}


def pairs(message: Message) -> list[tuple[str, str]]:
    """A text, or each of its plural forms, with the translation."""
    if isinstance(message.id, str):
        return [(message.id, str(message.string))]
    one, many = message.id
    return [(one if index == 0 and "%(num)s" not in one else many, form) for index, form in enumerate(message.string)]


def test_at_least_one_language_is_written_from_right_to_left() -> None:
    assert {"de", "fr", "es", "ar"} <= set(LANGUAGES)


def test_no_text_is_marked_inside_an_f_string() -> None:
    """Babel finds none there before Python 3.12."""
    marks = {"_", "gettext", "ngettext", "lazy_gettext", "lazy_ngettext"}
    found = [
        f"{path}:{call.lineno}"
        for path in sorted((config.ROOT / "userapi").rglob("*.py"))
        for joined in ast.walk(ast.parse(path.read_text()))
        if isinstance(joined, ast.JoinedStr)
        for call in ast.walk(joined)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in marks
    ]

    assert found == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_contain_exactly_the_marked_texts(language: str) -> None:
    wanted = {message.id for message in source_messages() if message.id}
    found = {message.id for message in read_catalog(language) if message.id}

    assert len(wanted) > 500
    assert found == wanted, HOW_TO_FIX


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_none_is_fuzzy(language: str) -> None:
    forms = get_plural(language).num_plurals
    missing = [
        message.id
        for message in read_catalog(language)
        if message.id
        and (
            message.fuzzy
            or not all(form.strip() for _text, form in pairs(message))
            or (message.pluralizable and len(message.string) != forms)
        )
    ]

    assert missing == [], HOW_TO_FIX


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_placeholders_of_its_text(language: str) -> None:
    differing = [
        (text, form)
        for message in read_catalog(language)
        if message.id
        for text, form in pairs(message)
        if set(PARTS.findall(text)) - NUMBERS != set(PARTS.findall(form)) - NUMBERS
        or (text[:1].isspace(), text[-1:].isspace()) != (form[:1].isspace(), form[-1:].isspace())
        or ("  " in form) is not ("  " in text)
    ]

    assert differing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_plural_form_has_an_unknown_placeholder(language: str) -> None:
    for message in read_catalog(language):
        if message.id and message.python_format:
            for error in message.check(read_catalog(language)):
                raise error


@pytest.mark.parametrize("language", LANGUAGES)
def test_compiled_catalogues_match_their_sources(language: str) -> None:
    compiled = BytesIO()
    write_mo(compiled, read_catalog(language))

    assert po_path(language).with_suffix(".mo").read_bytes() == compiled.getvalue(), HOW_TO_FIX


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_changes_only_with_its_texts(language: str) -> None:
    written = po_path(language).read_text()

    assert not re.search(r"^#: .*:\d", written, re.MULTILINE), "line numbers move with every edit"
    assert not re.search(r"^#~", written, re.MULTILINE), "texts that are no more need no translation"
