"""Journeys through the pages of the API in a real browser; each saves screenshots."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from tests.support import commands
from tests.support.browser import DESKTOP, PHONE, BrowserPage, Site
from tests.support.factories import PASSWORD, new_user, sequence

USERS = "/userapi/users/"
ME = "/userapi/auth/user/"
SESSIONS = "/userapi/auth/sessions/"

LOOKS = {
    "desktop": {"viewport": DESKTOP, "color_scheme": "light"},
    "desktop-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


def open_account(site: Site) -> str:
    """Register an account; return its email address."""
    wanted = new_user(email=f"reader{next(sequence)}@example.com")
    assert requests.post(f"{site.url}{USERS}", json=wanted, timeout=10).status_code == 201
    return str(wanted["email"])


def sign_in(browser: BrowserPage, email: str) -> None:
    """Sign in with the link on a page of the API, which leads back to that page."""
    browser.page.locator("#caller").get_by_role("link", name="Sign in").click()
    browser.fill(email=email, password=PASSWORD)
    browser.press("Sign in")
    expect(browser.page.locator("#caller")).to_contain_text(email)


def type_in(browser: BrowserPage, form: str, **fields: str) -> None:
    """Fill in inputs of one form, named as in the form but with `__` for the dot."""
    for name, text in fields.items():
        browser.page.locator(f'#{form} input[name="{name.replace("__", ".")}"]').fill(text)


def send(browser: BrowserPage, form: str) -> None:
    browser.page.locator(f"#{form} form > button[type=submit]").click()


def expect_response(browser: BrowserPage, text: str) -> None:
    expect(browser.page.locator("#answer h2")).to_have_text(text)


@pytest.fixture(scope="module")
def staff_email(site: Site) -> str:
    """The email address of a superuser."""
    email = f"superuser{next(sequence)}@example.com"
    made = commands.run(
        *commands.FLASK, "users", "create-superuser", "--email", email, "--password-stdin",
        env=site.environment, stdin=PASSWORD,
    )  # fmt: skip
    assert made.code == 0, made.errors
    return email


def test_register_sign_in_and_patch_your_profile_after_a_mistake(site: Site, visitor: BrowserPage) -> None:
    email = f"newcomer{next(sequence)}@example.com"
    visitor.go("/userapi/")
    visitor.page.locator("#answer").get_by_role("link", name=f"{site.url}{USERS}").click()
    expect_response(visitor, "401 Unauthorized")
    type_in(visitor, "post", email=email, password=PASSWORD, first_name="Wren", profile__title="Ms")
    type_in(visitor, "post", profile__dob="1990-12-10", profile__address="12 Pulteney Street", profile__zip="BA2 4")
    type_in(visitor, "post", profile__city="Bath", profile__country="United Kingdom")
    send(visitor, "post")
    expect_response(visitor, "201 Created")
    visitor.shoot("browse-1-registered")

    visitor.page.locator("#answer pre").get_by_role("link").first.click()
    expect_response(visitor, "401 Unauthorized")
    sign_in(visitor, email)
    expect_response(visitor, "200 OK")

    zip_code = visitor.page.locator('#patch input[name="profile.zip"]')
    type_in(visitor, "patch", profile__zip="TOO LONG", profile__city="York")
    send(visitor, "patch")
    expect_response(visitor, "400 Bad Request")
    expect(zip_code).to_have_attribute("aria-invalid", "true")
    expect(zip_code).to_have_accessible_description("Postal code. Longer than maximum length 5.")
    expect(visitor.page.locator("#answer")).to_be_focused()
    expect(visitor.page.locator('#patch input[name="profile.city"]')).to_have_value("York")
    visitor.shoot("browse-2-mistake")

    zip_code.fill("YO1")
    send(visitor, "patch")
    expect_response(visitor, "200 OK")
    expect(visitor.page.locator("#answer pre")).to_contain_text('"zip": "YO1"')
    expect(visitor.page.locator("#patch .error")).to_have_count(0)
    visitor.shoot("browse-3-patched")
    type_in(visitor, "patch", first_name="Robin")
    with visitor.page.expect_request(lambda request: request.method == "PATCH") as sent:
        send(visitor, "patch")
    assert sent.value.post_data_json == {"first_name": "Robin"}
    expect(visitor.page.locator("#answer pre")).to_contain_text('"first_name": "Robin"')
    expect(visitor.page.locator("#answer pre")).to_contain_text('"city": "York"')


def test_put_raw_JSON_and_an_invalid_body(site: Site, visitor: BrowserPage) -> None:
    visitor.go(ME)
    sign_in(visitor, open_account(site))
    visitor.page.locator("#put summary").click()
    visitor.page.locator("#put").get_by_role("tab", name="Form").press("ArrowRight")
    text = visitor.page.locator("#put textarea")
    expect(text).to_be_visible()
    assert '"city": "Bath"' in text.input_value()

    text.fill(text.input_value().replace('"Bath"', '"Wells"').replace('"Wren"', '"</pre><script>alert(1)</script>"'))
    send(visitor, "put")
    expect_response(visitor, "200 OK")
    expect(visitor.page.locator("#answer pre")).to_contain_text('"city": "Wells"')
    expect(visitor.page.locator("#answer pre")).to_contain_text('"</pre><script>alert(1)</script>"')
    visitor.page.locator("#put").get_by_role("tab", name="Raw JSON").click()
    text.fill('{"email": ')
    send(visitor, "put")

    expect_response(visitor, "400 Bad Request")
    expect(visitor.page.locator("#answer")).to_contain_text("The body is not valid JSON")


def test_changes_by_another_user_are_not_overwritten(
    site: Site, visitor: BrowserPage, watch: Callable[..., Any]
) -> None:
    email = open_account(site)
    visitor.go(ME)
    sign_in(visitor, email)
    with watch(site.url) as other:
        other.go(ME)
        sign_in(other, email)
        type_in(other, "patch", first_name="Jay")
        send(other, "patch")
        expect_response(other, "200 OK")

    type_in(visitor, "patch", first_name="Robin")
    send(visitor, "patch")
    expect_response(visitor, "412 Precondition Failed")
    visitor.shoot("browse-clash")
    visitor.press("Reload")

    expect(visitor.page.locator('#patch input[name="first_name"]')).to_have_value("Jay")


def test_staff_browse_and_filter_users_and_delete_one(site: Site, visitor: BrowserPage, staff_email: str) -> None:
    names = [open_account(site) for _number in range(5)]
    visitor.go(f"{USERS}?limit=2")
    sign_in(visitor, staff_email)
    seen = 0
    while True:
        seen += visitor.page.locator("#answer pre a", has_text="/userapi/users/").count()
        following = visitor.page.get_by_role("link", name="Next")
        if not following.count():
            break
        following.click()
        expect_response(visitor, "200 OK")
    visitor.page.get_by_role("link", name="Previous").click()
    expect_response(visitor, "200 OK")
    visitor.shoot("browse-list")
    assert seen > 5

    visitor.press("Clear")
    visitor.page.get_by_text("Filters", exact=True).click()
    visitor.page.locator("#filter-search").fill(names[3])
    visitor.page.locator("#filter-is_active").select_option("true")
    visitor.press("Apply")
    expect(visitor.page).to_have_url(f"{site.url}{USERS}?search={names[3].replace('@', '%40')}&is_active=true")
    visitor.page.locator("#answer pre").get_by_role("link").first.click()
    expect(visitor.page.locator("#answer pre")).to_contain_text(names[3])
    path = visitor.page.url.removeprefix(site.url)
    visitor.page.locator("#delete summary").click()
    visitor.page.locator("#delete").get_by_role("button", name="DELETE").click()
    visitor.press("Cancel")
    assert visitor.page.url.endswith(path)
    visitor.page.locator("#delete").get_by_role("button", name="DELETE").click()
    visitor.shoot("browse-delete")
    visitor.press("Confirm")

    expect(visitor.page.get_by_role("status")).to_have_text(f"Done: DELETE {path}")
    expect(visitor.page).to_have_url(site.url + USERS)
    visitor.go(path)
    expect_response(visitor, "404 Not Found")


def test_end_another_session_from_the_list(site: Site, visitor: BrowserPage) -> None:
    email = open_account(site)
    credentials = {"email": email, "password": PASSWORD}
    token = requests.post(f"{site.url}/api-token-auth/", json=credentials, timeout=10).json()["access_token"]
    visitor.go(SESSIONS)
    sign_in(visitor, email)
    ids = visitor.page.locator("#answer pre a")
    expect(ids).to_have_count(2)

    ids.nth(1).click()
    expect_response(visitor, "405 Method Not Allowed")
    visitor.page.locator("#delete").get_by_role("button", name="DELETE").click()
    visitor.press("Confirm")

    expect(visitor.page).to_have_url(site.url + SESSIONS)
    expect(ids).to_have_count(1)
    rejected = requests.get(f"{site.url}{ME}", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert rejected.status_code == 401
    visitor.go(ME)
    expect_response(visitor, "200 OK")


def test_signing_in_and_out_over_the_API_is_shown_on_the_page(site: Site, visitor: BrowserPage) -> None:
    email = open_account(site)
    visitor.go("/userapi/auth/login/")

    type_in(visitor, "post", email=email, password=PASSWORD)
    visitor.page.locator("#post input[name=cookies]").check()
    send(visitor, "post")
    expect_response(visitor, "200 OK")
    expect(visitor.page.locator("#caller")).to_contain_text(email)
    visitor.go("/userapi/auth/logout/")
    send(visitor, "post")
    expect_response(visitor, "200 OK")

    expect(visitor.page.locator("#caller")).to_contain_text("Not signed in")


def test_OPTIONS_and_a_service_that_is_down(site: Site, visitor: BrowserPage) -> None:
    visitor.go("/userapi/")
    visitor.press("OPTIONS")
    expect(visitor.page.locator("#answer .method")).to_have_text("OPTIONS")
    expect(visitor.page.locator("#answer dl")).to_contain_text("GET")

    visitor.page.context.set_offline(True)
    visitor.press("OPTIONS")

    expect(visitor.page.locator("#answer").get_by_role("alert")).to_contain_text("The service could not be reached.")
    visitor.console_errors.clear()  # the failed request is expected


def test_reading_filtering_and_registering_work_without_scripts(
    site: Site, watch: Callable[..., Any], staff_email: str
) -> None:
    email = f"plain{next(sequence)}@example.com"
    with watch(site.url, java_script_enabled=False) as visitor:
        visitor.go(USERS)
        type_in(visitor, "post", email=email, password=PASSWORD)
        send(visitor, "post")
        expect_response(visitor, "400 Bad Request")
        expect(visitor.page.locator('#post input[name="email"]')).to_have_value(email)
        type_in(visitor, "post", password=PASSWORD, profile__title="Ms", profile__dob="1990-12-10")
        type_in(visitor, "post", profile__address="12 Pulteney Street", profile__zip="BA2 4")
        type_in(visitor, "post", profile__city="Bath", profile__country="United Kingdom")
        send(visitor, "post")
        expect_response(visitor, "201 Created")

        visitor.go(USERS)
        sign_in(visitor, staff_email)
        visitor.page.get_by_text("Filters", exact=True).click()
        visitor.page.locator("#filter-search").fill(email)
        visitor.press("Apply")
        expect(visitor.page.locator("#answer pre")).to_contain_text(email)
        visitor.go(ME)
        expect(visitor.page.locator("#patch form > button")).to_be_disabled()
        assert visitor.faults == []


def test_everything_can_be_done_with_the_keyboard(site: Site, visitor: BrowserPage) -> None:
    visitor.go(ME)
    sign_in(visitor, open_account(site))
    name = visitor.page.locator('#patch input[name="first_name"]')
    keyboard = visitor.page.keyboard
    for _press in range(40):
        keyboard.press("Tab")
        if name.evaluate("input => input === document.activeElement"):
            break
    keyboard.press("Control+A")
    keyboard.type("Robin")
    keyboard.press("Enter")

    expect(visitor.page.locator("#answer")).to_be_focused()
    expect(visitor.page.locator("#answer pre")).to_contain_text('"first_name": "Robin"')


@pytest.fixture(params=LOOKS)
def look_and_browser(
    request: pytest.FixtureRequest, site: Site, watch: Callable[..., Any]
) -> Iterator[tuple[str, BrowserPage]]:
    """A browser on a desktop or a phone, with a light or dark color scheme."""
    with watch(site.url, **LOOKS[request.param]) as browser:
        yield request.param, browser
        assert browser.faults == []


def test_every_kind_of_page_is_accessible_and_fits_the_screen(
    site: Site, look_and_browser: tuple[str, BrowserPage], staff_email: str
) -> None:
    look, browser = look_and_browser
    email = open_account(site)

    def look_at(name: str) -> None:
        browser.shoot(f"browse-{look}-{name}")
        assert browser.violations() == [], name
        assert not browser.overflows(), name

    anonymous_pages = {
        "index": "/userapi/",
        "denied": USERS,
        "write-only": "/userapi/auth/login/",
        "not-found": "/userapi/no/",
    }
    for name, path in anonymous_pages.items():
        browser.go(path)
        look_at(name)
    browser.go(f"{USERS}?limit=2&count=true")
    sign_in(browser, staff_email)
    found = {"list": f"{USERS}?limit=2&count=true", "sessions": SESSIONS, "auth": "/userapi/auth/"}
    for name, path in found.items():
        browser.go(path)
        look_at(name)
    browser.go(f"{USERS}?search={email}")
    browser.page.locator("#answer pre").get_by_role("link").first.click()
    expect(browser.page.locator("#answer pre")).to_contain_text(email)
    browser.page.get_by_text("Methods and responses").click()
    look_at("user")
    type_in(browser, "patch", profile__zip="TOO LONG", first_name="x" * 160)
    send(browser, "patch")
    expect_response(browser, "400 Bad Request")
    look_at("mistake")
    browser.page.locator("#patch").get_by_role("tab", name="Raw JSON").click()
    look_at("raw")
    browser.page.locator("#delete summary").click()
    browser.page.locator("#delete").get_by_role("button", name="DELETE").click()
    browser.page.wait_for_timeout(300)  # the dialog fades in
    look_at("delete")


def test_english_descriptions_keep_their_own_direction_on_an_arabic_page(site: Site, visitor: BrowserPage) -> None:
    """F18: from right to left, the full stop of an English sentence would be shown at its beginning."""
    visitor.go(f"{USERS}?lang=ar")
    texts = visitor.page.locator("p.description").all()

    styles = [text.evaluate("p => [getComputedStyle(p).direction, getComputedStyle(p).unicodeBidi]") for text in texts]
    assert styles
    assert styles == [["rtl", "plaintext"]] * len(texts)
