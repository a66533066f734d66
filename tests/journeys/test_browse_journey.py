"""The API clicked through in a real browser, as its reader does; each story keeps its pictures."""

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
    "desk": {"viewport": DESKTOP, "color_scheme": "light"},
    "desk-dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}


def open_account(site: Site) -> str:
    """An account that somebody opened before the story begins; its address."""
    wanted = new_user(email=f"reader{next(sequence)}@example.com")
    assert requests.post(f"{site.url}{USERS}", json=wanted, timeout=10).status_code == 201
    return str(wanted["email"])


def sign_in(someone: BrowserPage, email: str) -> None:
    """Sign in by the link on a page of the API, which leads back."""
    someone.page.locator("#caller").get_by_role("link", name="Sign in").click()
    someone.fill(email=email, password=PASSWORD)
    someone.press("Sign in")
    expect(someone.page.locator("#caller")).to_contain_text(email)


def type_in(someone: BrowserPage, form: str, **fields: str) -> None:
    """Fill in inputs of one form, named as in the form but with `__` for the dot."""
    for name, text in fields.items():
        someone.page.locator(f'#{form} input[name="{name.replace("__", ".")}"]').fill(text)


def send(someone: BrowserPage, form: str) -> None:
    someone.page.locator(f"#{form} form > button[type=submit]").click()


def expect_answer(someone: BrowserPage, text: str) -> None:
    expect(someone.page.locator("#answer h2")).to_have_text(text)


@pytest.fixture(scope="module")
def staff_email(site: Site) -> str:
    """A superuser's address."""
    email = f"clerk{next(sequence)}@example.com"
    made = commands.run(
        *commands.FLASK, "users", "create-superuser", "--email", email, "--password-stdin",
        env=site.environment, stdin=PASSWORD,
    )  # fmt: skip
    assert made.code == 0, made.errors
    return email


def test_register_sign_in_and_patch_ones_own_profile_with_a_mistake_first(site: Site, visitor: BrowserPage) -> None:
    email = f"newcomer{next(sequence)}@example.com"
    visitor.go("/userapi/")
    visitor.page.locator("#answer").get_by_role("link", name=f"{site.url}{USERS}").click()
    expect_answer(visitor, "401 Unauthorized")
    type_in(visitor, "post", email=email, password=PASSWORD, first_name="Wren", profile__title="Ms")
    type_in(visitor, "post", profile__dob="1990-12-10", profile__address="12 Pulteney Street", profile__zip="BA2 4")
    type_in(visitor, "post", profile__city="Bath", profile__country="United Kingdom")
    send(visitor, "post")
    expect_answer(visitor, "201 Created")
    visitor.shoot("browse-1-registered")

    visitor.page.locator("#answer pre").get_by_role("link").first.click()
    expect_answer(visitor, "401 Unauthorized")
    sign_in(visitor, email)
    expect_answer(visitor, "200 OK")

    zip_code = visitor.page.locator('#patch input[name="profile.zip"]')
    type_in(visitor, "patch", profile__zip="TOO LONG", profile__city="York")
    send(visitor, "patch")
    expect_answer(visitor, "400 Bad Request")
    expect(zip_code).to_have_attribute("aria-invalid", "true")
    expect(zip_code).to_have_accessible_description("Postal code. Longer than maximum length 5.")
    expect(visitor.page.locator("#answer")).to_be_focused()
    expect(visitor.page.locator('#patch input[name="profile.city"]')).to_have_value("York")
    visitor.shoot("browse-2-mistake")

    zip_code.fill("YO1")
    send(visitor, "patch")
    expect_answer(visitor, "200 OK")
    expect(visitor.page.locator("#answer pre")).to_contain_text('"zip": "YO1"')
    expect(visitor.page.locator("#patch .error")).to_have_count(0)
    visitor.shoot("browse-3-patched")
    type_in(visitor, "patch", first_name="Robin")
    with visitor.page.expect_request(lambda request: request.method == "PATCH") as sent:
        send(visitor, "patch")
    assert sent.value.post_data_json == {"first_name": "Robin"}
    expect(visitor.page.locator("#answer pre")).to_contain_text('"first_name": "Robin"')
    expect(visitor.page.locator("#answer pre")).to_contain_text('"city": "York"')


def test_put_as_raw_JSON_and_a_body_that_is_none(site: Site, visitor: BrowserPage) -> None:
    visitor.go(ME)
    sign_in(visitor, open_account(site))
    visitor.page.locator("#put summary").click()
    visitor.page.locator("#put").get_by_role("tab", name="Form").press("ArrowRight")
    text = visitor.page.locator("#put textarea")
    expect(text).to_be_visible()
    assert '"city": "Bath"' in text.input_value()

    text.fill(text.input_value().replace('"Bath"', '"Wells"').replace('"Wren"', '"</pre><script>alert(1)</script>"'))
    send(visitor, "put")
    expect_answer(visitor, "200 OK")
    expect(visitor.page.locator("#answer pre")).to_contain_text('"city": "Wells"')
    expect(visitor.page.locator("#answer pre")).to_contain_text('"</pre><script>alert(1)</script>"')
    visitor.page.locator("#put").get_by_role("tab", name="Raw JSON").click()
    text.fill('{"email": ')
    send(visitor, "put")

    expect_answer(visitor, "400 Bad Request")
    expect(visitor.page.locator("#answer")).to_contain_text("The body is not valid JSON")


def test_what_another_has_changed_meanwhile_is_not_overwritten(
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
        expect_answer(other, "200 OK")

    type_in(visitor, "patch", first_name="Robin")
    send(visitor, "patch")
    expect_answer(visitor, "412 Precondition Failed")
    visitor.shoot("browse-clash")
    visitor.press("Reload")

    expect(visitor.page.locator('#patch input[name="first_name"]')).to_have_value("Jay")


def test_staff_page_through_users_filter_them_and_delete_one(
    site: Site, visitor: BrowserPage, staff_email: str
) -> None:
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
        expect_answer(visitor, "200 OK")
    visitor.page.get_by_role("link", name="Previous").click()
    expect_answer(visitor, "200 OK")
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
    expect_answer(visitor, "404 Not Found")


def test_end_another_session_from_the_list(site: Site, visitor: BrowserPage) -> None:
    email = open_account(site)
    credentials = {"email": email, "password": PASSWORD}
    token = requests.post(f"{site.url}/api-token-auth/", json=credentials, timeout=10).json()["access_token"]
    visitor.go(SESSIONS)
    sign_in(visitor, email)
    ids = visitor.page.locator("#answer pre a")
    expect(ids).to_have_count(2)

    ids.nth(1).click()
    expect_answer(visitor, "405 Method Not Allowed")
    visitor.page.locator("#delete").get_by_role("button", name="DELETE").click()
    visitor.press("Confirm")

    expect(visitor.page).to_have_url(site.url + SESSIONS)
    expect(ids).to_have_count(1)
    refused = requests.get(f"{site.url}{ME}", headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert refused.status_code == 401
    visitor.go(ME)
    expect_answer(visitor, "200 OK")


def test_sign_in_and_out_by_the_API_itself_and_see_it_on_the_page(site: Site, visitor: BrowserPage) -> None:
    email = open_account(site)
    visitor.go("/userapi/auth/login/")

    type_in(visitor, "post", email=email, password=PASSWORD)
    visitor.page.locator("#post input[name=cookies]").check()
    send(visitor, "post")
    expect_answer(visitor, "200 OK")
    expect(visitor.page.locator("#caller")).to_contain_text(email)
    visitor.go("/userapi/auth/logout/")
    send(visitor, "post")
    expect_answer(visitor, "200 OK")

    expect(visitor.page.locator("#caller")).to_contain_text("Not signed in")


def test_OPTIONS_and_a_service_that_is_away(site: Site, visitor: BrowserPage) -> None:
    visitor.go("/userapi/")
    visitor.press("OPTIONS")
    expect(visitor.page.locator("#answer .method")).to_have_text("OPTIONS")
    expect(visitor.page.locator("#answer dl")).to_contain_text("GET")

    visitor.page.context.set_offline(True)
    visitor.press("OPTIONS")

    expect(visitor.page.locator("#answer").get_by_role("alert")).to_contain_text("The service could not be reached.")
    visitor.console_errors.clear()  # of the network, as it should


def test_without_a_script_one_reads_filters_and_registers(
    site: Site, watch: Callable[..., Any], staff_email: str
) -> None:
    email = f"plain{next(sequence)}@example.com"
    with watch(site.url, java_script_enabled=False) as visitor:
        visitor.go(USERS)
        type_in(visitor, "post", email=email, password=PASSWORD)
        send(visitor, "post")
        expect_answer(visitor, "400 Bad Request")
        expect(visitor.page.locator('#post input[name="email"]')).to_have_value(email)
        type_in(visitor, "post", password=PASSWORD, profile__title="Ms", profile__dob="1990-12-10")
        type_in(visitor, "post", profile__address="12 Pulteney Street", profile__zip="BA2 4")
        type_in(visitor, "post", profile__city="Bath", profile__country="United Kingdom")
        send(visitor, "post")
        expect_answer(visitor, "201 Created")

        visitor.go(USERS)
        sign_in(visitor, staff_email)
        visitor.page.get_by_text("Filters", exact=True).click()
        visitor.page.locator("#filter-search").fill(email)
        visitor.press("Apply")
        expect(visitor.page.locator("#answer pre")).to_contain_text(email)
        visitor.go(ME)
        expect(visitor.page.locator("#patch form > button")).to_be_disabled()
        assert visitor.faults == []


def test_everything_is_reached_by_keyboard_alone(site: Site, visitor: BrowserPage) -> None:
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
def looker(request: pytest.FixtureRequest, site: Site, watch: Callable[..., Any]) -> Iterator[tuple[str, BrowserPage]]:
    """Somebody with eyes, at a desk or on a phone, by day or by night."""
    with watch(site.url, **LOOKS[request.param]) as someone:
        yield request.param, someone
        assert someone.faults == []


def test_every_kind_of_page_is_accessible_and_fits(
    site: Site, looker: tuple[str, BrowserPage], staff_email: str
) -> None:
    look, someone = looker
    email = open_account(site)

    def look_at(name: str) -> None:
        someone.shoot(f"browse-{look}-{name}")
        assert someone.violations() == [], name
        assert not someone.overflows(), name

    strangers = {"index": "/userapi/", "refused": USERS, "write-only": "/userapi/auth/login/", "lost": "/userapi/no/"}
    for name, path in strangers.items():
        someone.go(path)
        look_at(name)
    someone.go(f"{USERS}?limit=2&count=true")
    sign_in(someone, staff_email)
    found = {"list": f"{USERS}?limit=2&count=true", "sessions": SESSIONS, "auth": "/userapi/auth/"}
    for name, path in found.items():
        someone.go(path)
        look_at(name)
    someone.go(f"{USERS}?search={email}")
    someone.page.locator("#answer pre").get_by_role("link").first.click()
    expect(someone.page.locator("#answer pre")).to_contain_text(email)
    someone.page.get_by_text("Methods and responses").click()
    look_at("user")
    type_in(someone, "patch", profile__zip="TOO LONG", first_name="x" * 160)
    send(someone, "patch")
    expect_answer(someone, "400 Bad Request")
    look_at("mistake")
    someone.page.locator("#patch").get_by_role("tab", name="Raw JSON").click()
    look_at("raw")
    someone.page.locator("#delete summary").click()
    someone.page.locator("#delete").get_by_role("button", name="DELETE").click()
    someone.page.wait_for_timeout(300)  # the dialog fades in
    look_at("delete")


def test_english_descriptions_keep_their_own_direction_on_an_arabic_page(site: Site, visitor: BrowserPage) -> None:
    """F18: laid out from right to left, the full stop of an English sentence would stand at its beginning."""
    visitor.go(f"{USERS}?lang=ar")
    texts = visitor.page.locator("p.description").all()

    styles = [text.evaluate("p => [getComputedStyle(p).direction, getComputedStyle(p).unicodeBidi]") for text in texts]
    assert styles
    assert styles == [["rtl", "plaintext"]] * len(texts)
