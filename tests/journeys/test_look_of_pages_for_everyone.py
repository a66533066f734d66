"""Pages for people who want less motion, larger text, only a keyboard, or no scripts."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.factories import PASSWORD
from tests.support.product_data import STAFF
from tests.support.product_pages import PAGES, Product, open_page

MENU = "details.menu > summary"


def test_nothing_moves_for_who_wants_less_motion(look: Callable[..., Any], product: Product) -> None:
    moving = """() => [...document.querySelectorAll("*")].filter((part) => {
      const style = getComputedStyle(part);
      const isLong = style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0.01);
      return (isLong && style.transitionProperty !== "none")
        || (style.animationName !== "none" && parseFloat(style.animationDuration) > 0.01);
    }).map((part) => part.outerHTML.slice(0, 80))"""
    with look("staff", reduced_motion="reduce") as browser:
        for path in ("/admin/", "/admin/users/", "/account/", "/userapi/users/", "/docs/try/"):
            browser.go(path)
            assert browser.page.evaluate(moving) == [], path
            assert browser.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto", path


@pytest.mark.parametrize("identity", ["visitor", "owner", "staff"])
def test_text_of_twice_the_size_fits(look: Callable[..., Any], product: Product, identity: str) -> None:
    """WCAG 1.4.4; the window is 1280 pixels wide, so the layout has 640 of the usual size."""
    faults = []
    cut = """() => [...document.querySelectorAll("main :is(button, h1, h2, label, .badge, .chip)")].filter((part) =>
      part.checkVisibility() && !part.closest(".visually-hidden, .pick")
      && getComputedStyle(part).overflow !== "visible"
      && (part.scrollWidth > part.clientWidth + 2 || part.scrollHeight > part.clientHeight + 4)
    ).map((part) => `cut off: ${part.outerHTML.slice(0, 80)}`)"""
    with look(identity, viewport={"width": 1280, "height": 900}) as browser:
        browser.page.context.new_cdp_session(browser.page).send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
        for page in PAGES:
            if page.identity != identity or page.door == "docs":
                continue
            open_page(browser, product, page)
            assert browser.page.evaluate("getComputedStyle(document.documentElement).fontSize") == "32px"
            found = browser.page.evaluate(cut) + (["scrolls sideways"] if browser.overflows() else [])
            faults += [f"{page}: {fault}" for fault in found]

    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.mark.parametrize(
    ("identity", "path"),
    [
        ("staff", "/admin/"), ("staff", "/admin/users/{user}/"), ("owner", "/account/"), ("visitor", "/login/"),
        ("visitor", "/userapi/"), ("visitor", "/docs/"), ("visitor", "/docs/try/"), ("visitor", "/nothing/"),
    ],
)  # fmt: skip
def test_the_first_stop_of_the_keyboard_skips_to_the_content(
    look: Callable[..., Any], product: Product, identity: str, path: str
) -> None:
    with look(identity) as browser:
        browser.go(path.format_map(product.records))
        browser.page.wait_for_load_state("networkidle")
        browser.page.evaluate("document.activeElement.blur()")  # some pages focus their first input
        browser.page.evaluate("getSelection().setPosition(document.body, 0)")
        browser.page.keyboard.press("Tab")
        skip = browser.page.locator("a.skip")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        browser.page.keyboard.press("Enter")
        target = str(skip.get_attribute("href")).removeprefix("#")
        assert browser.page.evaluate("document.activeElement.id") == target


def test_keys_open_the_search_and_close_menus(look: Callable[..., Any], product: Product) -> None:
    with look("staff") as browser:
        page = browser.page
        browser.go("/admin/")
        page.keyboard.press("/")
        expect(page.locator("[data-shortcut='/']")).to_be_focused()
        for path in ("/admin/users/", "/account/", "/userapi/users/"):
            browser.go(path)
            for summary in page.locator(f"{MENU}:visible").all():
                summary.focus()
                page.keyboard.press("Enter")
                expect(summary.locator("xpath=..")).to_have_attribute("open", "")
                page.keyboard.press("Tab")
                page.keyboard.press("Escape")
                expect(summary.locator("xpath=..")).not_to_have_attribute("open", "")
                expect(summary).to_be_focused()


def test_the_menu_of_a_phone_opens_and_closes_with_the_keyboard(look: Callable[..., Any], product: Product) -> None:
    with look("staff", viewport={"width": 375, "height": 800}) as browser:
        browser.go("/admin/")
        button = browser.page.get_by_role("button", name="Menu", exact=True)
        button.focus()
        browser.page.keyboard.press("Enter")
        users = browser.page.locator(".sidebar").get_by_role("link", name="Users", exact=True)
        expect(users).to_be_visible()
        assert browser.violations() == []
        browser.page.keyboard.press("Escape")
        expect(users).to_be_hidden()
        expect(button).to_be_focused()


def open_menu(page: Page, scope: str, name: str) -> None:
    page.locator(scope).locator(MENU).filter(has_text=name).first.click()


@pytest.fixture
def plain(look: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a browser without scripts."""

    def open_plain(identity: str) -> Any:
        return look(identity, java_script_enabled=False)

    return open_plain


def test_a_staff_member_works_without_scripts(plain: Callable[..., Any], product: Product) -> None:
    with plain("staff") as browser:
        page = browser.page
        browser.go("/admin/users/")
        open_menu(page, "main", "Filters")
        page.get_by_label("Staff", exact=True).select_option("true")
        browser.press("Apply")
        expect(page.locator("tbody tr").first).to_contain_text("Superuser")
        page.locator("input[name=user]").first.check()
        browser.press("Activate")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Activate")

        browser.go("/admin/users/")
        open_menu(page, "main", "Columns")
        page.locator("#column-country").set_checked(not page.locator("#column-country").is_checked())
        browser.press("Show these columns")
        assert page.locator("th.of-country").count() in (0, 1)
        open_menu(page, "main", "Export")
        expect(page.locator(".heading").get_by_role("button", name="Export as CSV")).to_be_visible()

        browser.go(f"/admin/users/{product.records['user']}/")
        open_menu(page, "main", "Actions")
        page.get_by_role("link", name="Set password").click()
        expect(page).to_have_url(f"{product.url}/admin/users/{product.records['user']}/password/")


@pytest.mark.parametrize(("identity", "path"), [("staff", "/admin/"), ("visitor", "/login/"), ("visitor", "/docs/")])
def test_theme_and_language_change_without_scripts(
    plain: Callable[..., Any], product: Product, identity: str, path: str
) -> None:
    with plain(identity) as browser:
        browser.go(path)
        page = browser.page
        page.get_by_role("navigation", name="Theme").locator("summary").click()
        page.get_by_role("link", name="Dark", exact=True).click()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.get_by_role("navigation", name="Language").locator("summary").click()
        page.get_by_role("link", name="Deutsch").click()
        expect(page.locator("html")).to_have_attribute("lang", "de")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_pages_say_what_needs_a_script(plain: Callable[..., Any], product: Product) -> None:
    with plain("staff") as browser:
        for path in (f"/userapi/users/{product.records['user']}/", "/docs/try/"):
            browser.go(path)
            open_all = "main => main.querySelectorAll('details').forEach((part) => { part.open = true })"
            browser.page.locator("main").evaluate(open_all)
            assert "needs JavaScript" in browser.page.locator("main").evaluate("main => main.innerText"), path


def test_people_sign_in_and_out_without_scripts(watch: Callable[..., Any], product: Product) -> None:
    with watch(product.url, java_script_enabled=False) as browser:
        browser.go("/login/?next=/admin/")
        browser.fill(email=STAFF, password=PASSWORD)
        browser.press("Sign in")
        open_menu(browser.page, ".staff-bar", STAFF)
        browser.press("Sign out")
        browser.go("/admin/")
        expect(browser.page).to_have_url(f"{product.url}/login/?next=/admin/")
