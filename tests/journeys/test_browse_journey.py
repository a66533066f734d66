"""Journeys through the pages of the API in a real browser; each saves screenshots."""

from collections.abc import Callable
from typing import Any

import requests
from playwright.sync_api import expect

from tests.support.api_screens import USERS, create_account, expect_response, send, sign_in, type_in
from tests.support.browser import BrowserPage, Site
from tests.support.factories import PASSWORD, sequence

ME = "/userapi/auth/user/"


SESSIONS = "/userapi/auth/sessions/"


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

    visitor.page.locator("#json").get_by_role("link").first.click()
    expect_response(visitor, "401 Unauthorized")
    sign_in(visitor, email)
    expect_response(visitor, "200 OK")

    zip_code = visitor.page.locator('#patch input[name="profile.zip"]')
    type_in(visitor, "patch", profile__zip="TOO LONG", profile__city="York")
    send(visitor, "patch")
    expect_response(visitor, "400 Bad Request")
    expect(zip_code).to_have_attribute("aria-invalid", "true")
    expect(zip_code).to_have_accessible_description("Postal code. Up to 5 characters. Longer than maximum length 5.")
    expect(visitor.page.locator("#answer")).to_be_focused()
    expect(visitor.page.locator('#patch input[name="profile.city"]')).to_have_value("York")
    visitor.shoot("browse-2-mistake")

    zip_code.fill("YO1")
    send(visitor, "patch")
    expect_response(visitor, "200 OK")
    expect(visitor.page.locator("#json")).to_contain_text('"zip": "YO1"')
    expect(visitor.page.locator("#patch .error")).to_have_count(0)
    visitor.shoot("browse-3-patched")
    type_in(visitor, "patch", first_name="Robin")
    with visitor.page.expect_request(lambda request: request.method == "PATCH") as sent:
        send(visitor, "patch")
    assert sent.value.post_data_json == {"first_name": "Robin"}
    expect(visitor.page.locator("#json")).to_contain_text('"first_name": "Robin"')
    expect(visitor.page.locator("#json")).to_contain_text('"city": "York"')


def test_put_raw_JSON_and_an_invalid_body(site: Site, visitor: BrowserPage) -> None:
    visitor.go(ME)
    sign_in(visitor, create_account(site))
    visitor.page.locator("#put > summary").click()
    visitor.page.locator("#put").get_by_role("tab", name="Form").press("ArrowRight")
    text = visitor.page.locator("#put textarea")
    expect(text).to_be_visible()
    assert '"city": "Bath"' in text.input_value()

    text.fill(text.input_value().replace('"Bath"', '"Wells"').replace('"Wren"', '"</pre><script>alert(1)</script>"'))
    send(visitor, "put")
    expect_response(visitor, "200 OK")
    expect(visitor.page.locator("#json")).to_contain_text('"city": "Wells"')
    expect(visitor.page.locator("#json")).to_contain_text('"</pre><script>alert(1)</script>"')
    visitor.page.locator("#put").get_by_role("tab", name="Raw JSON").click()
    text.fill('{"email": ')
    send(visitor, "put")

    expect_response(visitor, "400 Bad Request")
    expect(visitor.page.locator("#answer")).to_contain_text("The body is not valid JSON")


def test_changes_by_another_user_are_not_overwritten(
    site: Site, visitor: BrowserPage, watch: Callable[..., Any]
) -> None:
    email = create_account(site)
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
    visitor.page.get_by_role("link", name="Reload", exact=True).click()

    expect(visitor.page.locator('#patch input[name="first_name"]')).to_have_value("Jay")


def test_staff_browse_and_filter_users_and_delete_one(site: Site, visitor: BrowserPage, staff_email: str) -> None:
    names = [create_account(site) for _number in range(5)]
    visitor.go(f"{USERS}?limit=2")
    sign_in(visitor, staff_email)
    seen = 0
    while True:
        seen += visitor.page.locator("#json a", has_text="/userapi/users/").count()
        following = visitor.page.get_by_role("link", name="Next")
        if not following.count():
            break
        following.click()
        expect_response(visitor, "200 OK")
    visitor.page.get_by_role("link", name="Previous").click()
    expect_response(visitor, "200 OK")
    visitor.shoot("browse-list")
    assert seen > 5

    visitor.page.get_by_role("link", name="Clear", exact=True).click()
    visitor.page.get_by_text("Filters", exact=True).click()
    visitor.page.locator("#filter-search").fill(names[3])
    visitor.page.locator("#filter-is_active").select_option("true")
    visitor.press("Apply")
    expect(visitor.page).to_have_url(f"{site.url}{USERS}?search={names[3].replace('@', '%40')}&is_active=true")
    visitor.page.locator("#json").get_by_role("link").first.click()
    expect(visitor.page.locator("#json")).to_contain_text(names[3])
    path = visitor.page.url.removeprefix(site.url)
    visitor.page.locator("#delete > summary").click()
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
    email = create_account(site)
    credentials = {"email": email, "password": PASSWORD}
    token = requests.post(f"{site.url}/api-token-auth/", json=credentials, timeout=10).json()["access_token"]
    visitor.go(SESSIONS)
    sign_in(visitor, email)
    ids = visitor.page.locator("#json a")
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
    email = create_account(site)
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
        expect(visitor.page.locator("#json")).to_contain_text(email)
        visitor.go(ME)
        expect(visitor.page.locator("#patch form > .buttons > [type=submit]")).to_be_disabled()
        assert visitor.faults == []


def test_everything_can_be_done_with_the_keyboard(site: Site, visitor: BrowserPage) -> None:
    visitor.go(ME)
    sign_in(visitor, create_account(site))
    name = visitor.page.locator('#patch input[name="first_name"]')
    keyboard = visitor.page.keyboard
    keyboard.press("Tab")
    keyboard.press("Enter")  # skip to the content, past the list of operations
    for _press in range(40):
        keyboard.press("Tab")
        if name.evaluate("input => input === document.activeElement"):
            break
    keyboard.press("Control+A")
    keyboard.type("Robin")
    keyboard.press("Enter")

    expect(visitor.page.locator("#answer")).to_be_focused()
    expect(visitor.page.locator("#json")).to_contain_text('"first_name": "Robin"')
