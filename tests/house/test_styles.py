"""Classes, icons and style sheets fit together: none is missing, and none is left over."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

import config
import userapi

PACKAGE = Path(userapi.__file__).parent
STATIC, TEMPLATES, STYLES = PACKAGE / "static", PACKAGE / "templates", config.ROOT / "styles"

OWN_SHEETS = [path for path in STATIC.rglob("*.css") if "vendor" not in path.parts]
TABLER = STATIC / "vendor" / "tabler" / "tabler.min.css"
SWAGGER_UI = STATIC / "vendor" / "swagger-ui"

#: Emails have a style sheet of their own.
PAGES = [path for path in TEMPLATES.rglob("*.html") if "mail" not in path.parts]
SCRIPTS = [path for path in STATIC.rglob("*.js") if "vendor" not in path.parts]
#: Modules that write HTML.
MODULES = list(PACKAGE.rglob("*.py"))

#: Classes without a style of their own, for scripts and tests.
HOOKS: set[str] = set()

#: Beginnings of classes that end with a value, as in `status-{{ status // 100 }}`.
COMPOSED = ("badge-", "notice-", "status-", "of-", "is-")
#: Classes that are values: methods in lower case.
VALUES = {"get", "head", "options", "post", "put", "patch", "delete"}

CLASS = re.compile(r"-?[a-zA-Z_][\w-]*")
QUOTED = re.compile(r'"([^"]*)"|\'([^\']*)\'|`([^`]*)`')


def classes_in_selectors(css: str) -> set[str]:
    """The classes that a style sheet has rules for."""
    css = re.sub(r"/\*.*?\*/|\"[^\"]*\"|'[^']*'|url\([^)]*\)", "", css, flags=re.DOTALL)
    selectors = re.findall(r"([^{};]+)\{", css)
    return {name for selector in selectors for name in re.findall(r"\.(-?[a-zA-Z_][\w-]*)", selector)}


def read(paths: Iterable[Path]) -> str:
    return "\n".join(path.read_text() for path in paths)


def used_classes(template: str) -> set[str]:
    """The classes in `class` attributes and class arguments of macros, those in conditions included."""
    template = re.sub(r"\{#.*?#\}", "", template, flags=re.DOTALL)
    used: set[str] = set()
    for attribute in re.findall(r'\bclass="((?:\{%.*?%\}|\{\{.*?\}\}|[^"])*)"', template, flags=re.DOTALL):
        expressions = " ".join(re.findall(r"\{\{.*?\}\}", attribute))
        literals = QUOTED.findall(re.sub(r"== *('[^']*'|\"[^\"]*\")", "", expressions))
        plain = re.sub(r"\{%.*?%\}", " ", re.sub(r"\{\{.*?\}\}", "\0", attribute))
        texts = [plain, *("".join(pair) for pair in literals)]
        used |= {word for text in texts for word in text.split() if "\0" not in word and CLASS.fullmatch(word)}
    for argument in re.findall(r'\b(?:summary_)?class="([\w -]+)"', template):
        used |= set(argument.split())
    return used


def quoted_words(text: str) -> set[str]:
    """All words in quotes, except for texts to be translated; the classes that a file uses are among them."""
    text = re.sub(r"\{#.*?#\}", "", re.sub(r"\b_\(\"[^\"]*\"", "", text), flags=re.DOTALL)
    return set(CLASS.findall(" ".join("".join(found) for found in QUOTED.findall(text))))


def test_every_class_of_a_template_has_a_style() -> None:
    styled = classes_in_selectors(read([*OWN_SHEETS, TABLER, *SWAGGER_UI.glob("*.css")]))

    missing = {
        f"{path.relative_to(TEMPLATES)}: {name}"
        for path in PAGES
        for name in used_classes(path.read_text()) - styled - HOOKS
        if not name.endswith("-")
    }
    assert missing == set()


@pytest.mark.parametrize("sheet", OWN_SHEETS, ids=lambda sheet: str(sheet.relative_to(STATIC)))
def test_every_class_of_our_style_sheets_is_used(sheet: Path) -> None:
    used = set[str]().union(*(quoted_words(path.read_text()) for path in (*PAGES, *SCRIPTS, *MODULES)))
    vendored = classes_in_selectors(read([TABLER, *SWAGGER_UI.glob("*.css")]))
    swagger_ui = read(SWAGGER_UI.glob("*.js"))

    unused = classes_in_selectors(sheet.read_text()) - used - VALUES - vendored
    assert {name for name in unused if not name.startswith(COMPOSED) and name not in swagger_ui} == set()


def test_icons_are_those_of_the_list_and_every_icon_of_a_page_exists() -> None:
    listed = {line for line in (STYLES / "icons.txt").read_text().splitlines() if line and not line.startswith("#")}
    drawn = {path.stem for path in (STATIC / "vendor" / "tabler" / "icons").glob("*.svg")}
    used = set(re.findall(r"\bicon\(\"([\w-]+)\"", read(PAGES)))

    assert drawn == listed
    assert used <= listed


def test_the_vendored_styles_are_built_from_their_present_sources() -> None:
    recipe = hashlib.sha256((STYLES / "tabler.scss").read_bytes() + (STYLES / "build.mjs").read_bytes()).hexdigest()

    assert f"built by recipe {recipe[:16]} " in TABLER.read_text()[:300], "run `make styles`"
