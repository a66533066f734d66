"""Every page of the product on three screens, in light and dark and in three languages.

A page is loaded once for each language. Screens and color schemes are changed in the loaded page, because nothing but
its layout and colors depends on them.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.accessibility import CONTRAST
from tests.support.browser import BrowserPage
from tests.support.product_pages import PAGES, Product, ProductPage, open_page

#: From the narrowest phone (WCAG 1.4.10) to a large screen.
WIDTHS = (1440, 768, 375, 320)
ALL_WIDTHS = (1920, 1440, 1280, 1024, 900, 768, 600, 480, 375, 320)
HEIGHT = 900

LANGUAGES = {"en-GB": "ltr", "de-DE": "ltr", "ar-EG": "rtl"}

#: Besides the pages in English, axe-core checks those in this language; German differs from English in its words alone.
RIGHT_TO_LEFT = "ar-EG"

#: The parts that make a page wider than the window.
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const parts = [...document.querySelectorAll("body *")].filter((part) => {
    const { left, right } = part.getBoundingClientRect();
    return part.checkVisibility() && (left < 0 || right > width) && !part.closest(".scroll, .skip");
  });
  return [`scrolls sideways: ${parts.slice(0, 5).map((part) => `${part.tagName}.${part.getAttribute("class")}`)}`];
}"""

#: Open menus that leave the window on a page, one after another.
MENUS_OUTSIDE = """() => [...document.querySelectorAll("details.menu")].filter((menu) => {
  if (!menu.checkVisibility()) return false;
  const wasOpen = menu.open;
  menu.open = true;
  const { left, right } = menu.querySelector(".menu-items").getBoundingClientRect();
  const isOutside = left < 0 || right > document.documentElement.clientWidth
    || document.documentElement.scrollWidth > document.documentElement.clientWidth;
  menu.open = wasOpen;
  return isOutside;
}).map((menu) => `menu: ${menu.querySelector("summary").textContent.trim()}`)"""

#: Values that cannot be changed and of which a part is hidden.
CLIPPED = """() => [...document.querySelectorAll("input[readonly]:not(.visually-hidden)")].filter((input) =>
  input.checkVisibility() && input.scrollWidth > input.clientWidth).map((input) => `clipped: ${input.value}`)"""

#: Email addresses of usual length in lists that are broken over more than two lines.
BROKEN_EMAILS = r"""() => {
  const broken = [];
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode;
    if (text.data.trim().length > 48 || !/^\s*[^\s@]+@[^\s@]+\s*$/.test(text.data)) continue;
    if (!text.parentElement.closest("table, ul, ol, .rows")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const lines = new Set([...range.getClientRects()].filter((box) => box.width).map((box) => Math.round(box.top)));
    if (lines.size > 2) broken.push(`${text.data.trim()}: ${lines.size} lines`);
  }
  return broken;
}"""

#: Changes of events that are broken within words, in a table that has columns.
NARROW_CHANGES = """() => [...document.querySelectorAll("td > .changes")].filter((changes) =>
  changes.checkVisibility() && changes.clientWidth < 150).map((changes) => `narrow: ${changes.clientWidth} pixels`)"""

#: All of it in one call. Menus open alike between two widths, and so are checked at some.
MISFITS = f"""(areMenusChecked) => [
  ...({TOO_WIDE})(), ...({BROKEN_EMAILS})(), ...({CLIPPED})(), ...({NARROW_CHANGES})(),
  ...(areMenusChecked ? ({MENUS_OUTSIDE})() : [])
]"""


def pages_of(identity: str, door: str) -> list[ProductPage]:
    return [page for page in PAGES if (page.identity, page.door) == (identity, door)]


PARTS = sorted({(page.identity, page.door) for page in PAGES})


class Faults:
    """What was wrong, and where."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, page: ProductPage, where: str, faults: list[str]) -> None:
        self.found += [f"{page.identity}, {page}, {where}: {fault}" for fault in faults]

    def check(self) -> None:
        if self.found:
            pytest.fail("\n".join(self.found), pytrace=False)


def resize(browser: BrowserPage, width: int) -> None:
    browser.page.set_viewport_size({"width": width, "height": HEIGHT})


def violations(browser: BrowserPage, *, contrast: bool) -> list[str]:
    return browser.violations(rules={CONTRAST: {"enabled": contrast}})


def console_faults(browser: BrowserPage) -> list[str]:
    """The faults since the last call."""
    faults = browser.faults
    browser.console_errors.clear()
    browser.elsewhere.clear()
    return faults


@pytest.mark.parametrize(("identity", "door"), PARTS)
@pytest.mark.parametrize("locale", LANGUAGES)
def test_pages_fit_every_screen_and_are_accessible_in_every_language(
    look: Callable[..., Any], product: Product, locale: str, identity: str, door: str
) -> None:
    faults = Faults()
    with look(identity, locale=locale) as browser:
        for number, page in enumerate(pages_of(identity, door)):
            resize(browser, WIDTHS[0])
            browser.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
            open_page(browser, product, page)
            assert browser.page.evaluate("document.dir") == LANGUAGES[locale], str(page)
            for width in ALL_WIDTHS if locale == "en-GB" and door in ("staff", "account") else WIDTHS:
                resize(browser, width)
                faults.add(page, f"{width}", browser.page.evaluate(MISFITS, width in WIDTHS))
                if width == WIDTHS[0] and locale == RIGHT_TO_LEFT:
                    faults.add(page, locale, violations(browser, contrast=False))
            if locale == "en-GB":
                look_closely(browser, page, faults, is_first=number == 0)
            faults.add(page, "console", console_faults(browser))

    faults.check()


def look_closely(browser: BrowserPage, page: ProductPage, faults: Faults, *, is_first: bool) -> None:
    """Check a loaded page on several screens in both color schemes.

    On a screen between phone and desktop a page shows what it shows on one of them, so the first page of each part,
    with the frame of all others, is enough.
    """
    browser.page.emulate_media(reduced_motion="reduce")
    for width in (768, 375) if is_first else (375,):
        resize(browser, width)
        faults.add(page, f"{width}", violations(browser, contrast=page.door != "docs" and width == 375))
    browser.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    for width, scheme in ((375, "dark"), (1440, "dark"), (1440, "light")):
        if page.door == "docs" and width == 375:
            continue
        resize(browser, width)
        browser.page.emulate_media(color_scheme=scheme)
        only = [CONTRAST] if scheme == "dark" else []
        faults.add(page, f"{width}, {scheme}, open", browser.violations(only=only))


@contextmanager
def broken(database: Path, statement: str, repair: str) -> Iterator[None]:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement)
        yield
        connection.execute(repair)


UNREADABLE = (
    "UPDATE audit_events SET changes = '{' WHERE id = 1",
    "UPDATE audit_events SET changes = '{}' WHERE id = 1",
)
MISSING = ("ALTER TABLE audit_events RENAME TO hidden", "ALTER TABLE hidden RENAME TO audit_events")


@pytest.mark.parametrize(
    ("page", "damage"),
    [
        (ProductPage("/admin/audit/1/", "staff", "staff", 500), UNREADABLE),
        (ProductPage("/account/activity/", "owner", "account", 503), MISSING),
    ],
    ids=["error", "unavailable"],
)
def test_pages_of_server_errors_are_accessible_and_fit(
    look: Callable[..., Any], product: Product, page: ProductPage, damage: tuple[str, str]
) -> None:
    faults = Faults()
    with look(page.identity) as browser:
        with broken(product.database, *damage):
            open_page(browser, product, page)
        faults.add(page, "1440", browser.violations())
        resize(browser, 320)
        browser.page.emulate_media(color_scheme="dark")
        faults.add(page, "320, dark", browser.violations() + browser.page.evaluate(TOO_WIDE))

    faults.check()
