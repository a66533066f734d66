"""Emails have the colours of pages: those of `static/ui/tokens.css`, written into the templates."""

import re
from pathlib import Path

import pytest

import userapi
from userapi.core.site import DARK_SURFACES, DEFAULT_DARK, DEFAULT_LIGHT, LIGHT_SURFACES

PACKAGE = Path(userapi.__file__).parent
TOKENS = PACKAGE / "static" / "ui" / "tokens.css"


def token(name: str) -> tuple[str, str]:
    """The light and the dark value of a token."""
    found = re.search(rf"--ui-{name}: (?:light-dark\()?(#\w{{6}})(?:, (#\w{{6}})\))?;", TOKENS.read_text())
    assert found is not None, name
    return found[1], found[2] or found[1]


def test_the_colors_of_emails_are_those_of_pages() -> None:
    used = set(re.findall(r"#[0-9a-f]{6}\b", (PACKAGE / "templates" / "mail" / "layout.html").read_text()))

    assert len(used) > 8
    assert used <= set(re.findall(r"#[0-9a-f]{6}\b", TOKENS.read_text()))


@pytest.mark.parametrize("name", ["primary", "primary_text", "primary_hover", "link", "focus"])
def test_the_default_palette_is_that_of_pages(name: str) -> None:
    assert token(name.replace("_", "-")) == (getattr(DEFAULT_LIGHT, name), getattr(DEFAULT_DARK, name))


@pytest.mark.parametrize("name", ["bg", "surface", "raised", "hover", "selected", "code-bg"])
def test_contrast_is_computed_for_every_background_of_pages(name: str) -> None:
    light, dark = token(name)

    assert light in LIGHT_SURFACES
    assert dark in DARK_SURFACES or name == "code-bg"  # darker than the others, so links stand out more
