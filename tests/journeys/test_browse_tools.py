"""The tools on pages of the API in a real browser: copying as curl and as JSON, folding, and the list of operations."""

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from tests.support.accessibility import CONTRAST
from tests.support.api_screens import USERS, create_account, expect_response, send, sign_in, type_in
from tests.support.browser import TIMEOUT, BrowserPage, Site
from tests.support.factories import PASSWORD, new_user, sequence

ME = "/userapi/auth/user/"


@pytest.fixture
def reader(site: Site, watch: Callable[..., Any]) -> Any:
    """A browser that may read and write the clipboard."""
    with watch(site.url, permissions=["clipboard-read", "clipboard-write"]) as browser:
        yield browser
        assert browser.faults == []


#: Notes that a button says "Copied", which it does for so short a time that a slow machine can miss it.
WATCH_BUTTON = """(button, timeout) => {
  window.hasSaidCopied = new Promise((resolve) => {
    const note = () => { if (button.textContent.trim() === "Copied") resolve(true); };
    new MutationObserver(note).observe(button, { childList: true, characterData: true, subtree: true });
    setTimeout(() => resolve(false), timeout);
  });
}"""


def copied(browser: BrowserPage, place: str, button: str) -> str:
    """Press a copy button, when it no longer says "Copied", and return what it copies."""
    pressed = browser.page.locator(place).get_by_role("button", name=button, exact=True)
    pressed.evaluate(WATCH_BUTTON, TIMEOUT)
    pressed.click()
    assert browser.page.evaluate("window.hasSaidCopied")
    return str(browser.page.evaluate("navigator.clipboard.readText()"))


def run(command: str, **variables: str) -> Any:
    """Run a copied command in a shell. Returns its output, parsed."""
    done = subprocess.run(
        ["sh", "-c", f"{command} --silent --show-error"],
        env={"PATH": os.environ["PATH"], **variables}, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def token_of(site: Site, email: str) -> str:
    response = requests.post(f"{site.url}/api-token-auth/", json={"email": email, "password": PASSWORD}, timeout=10)
    return str(response.json()["access_token"])


def test_the_copied_command_of_a_list_returns_the_same_list(site: Site, reader: BrowserPage, staff_email: str) -> None:
    for _number in range(3):
        create_account(site)
    reader.go(f"{USERS}?limit=2&search=reader&ordering=-email")
    sign_in(reader, staff_email)

    page = json.loads(copied(reader, "#answer", "Copy JSON"))
    command = copied(reader, "#answer", "Copy as curl")

    assert len(page["results"]) == 2
    assert run(command, ACCESS_TOKEN=token_of(site, staff_email)) == page


def test_the_copied_command_of_a_form_sends_what_is_typed_but_has_no_password(site: Site, reader: BrowserPage) -> None:
    wanted = new_user(email=f"curl{next(sequence)}@example.com", first_name='O\'Neill "$HOME" \\ `id`')
    reader.go(USERS)
    fields = {name: str(value) for name, value in wanted.items() if name != "profile"}
    type_in(reader, "post", **fields, **{f"profile__{name}": str(part) for name, part in wanted["profile"].items()})

    command = copied(reader, "#post", "Copy as curl")
    made = run(command, PASSWORD=PASSWORD)

    assert PASSWORD not in command
    assert (made["email"], made["first_name"]) == (wanted["email"], wanted["first_name"])
    assert token_of(site, wanted["email"])


def test_the_copied_command_of_a_change_follows_the_form_and_raw_JSON(site: Site, reader: BrowserPage) -> None:
    email = create_account(site)
    reader.go(ME)
    sign_in(reader, email)
    token = token_of(site, email)  # this changes the ETag: the user has signed in again
    reader.page.reload()
    type_in(reader, "patch", first_name="Robin", current_password=PASSWORD)

    command = copied(reader, "#patch", "Copy as curl")
    changed = run(command, ACCESS_TOKEN=token, CURRENT_PASSWORD=PASSWORD)
    assert "If-Match" in command
    assert PASSWORD not in command
    assert changed["first_name"] == "Robin"

    reader.page.reload()
    reader.page.locator("#patch").get_by_role("tab", name="Raw JSON").click()
    reader.page.locator("#patch textarea").fill('{"last_name": "Jay", "current_password": "unfinished secret')
    assert "unfinished secret" not in copied(reader, "#patch", "Copy as curl")
    reader.page.locator("#patch textarea").fill('{"last_name": "Jay"}')
    assert run(copied(reader, "#patch", "Copy as curl"), ACCESS_TOKEN=token)["last_name"] == "Jay"


def test_buttons_of_a_response_to_a_script_work_too(site: Site, reader: BrowserPage) -> None:
    reader.go(ME)
    sign_in(reader, create_account(site))
    type_in(reader, "patch", first_name="Robin")
    send(reader, "patch")

    # The response that was loaded with the page, also 200 OK, had this button.
    expect(reader.page.locator("#answer").get_by_role("button", name="Copy as curl")).to_have_count(0)
    expect_response(reader, "200 OK")
    assert json.loads(copied(reader, "#answer", "Copy JSON"))["first_name"] == "Robin"


def test_a_selection_is_copied_as_JSON_even_where_it_is_folded(site: Site, reader: BrowserPage) -> None:
    reader.go(ME)
    sign_in(reader, create_account(site))
    reader.page.locator("#json summary").first.click()
    expect(reader.page.locator("#json").get_by_text('"city"')).to_be_hidden()
    reader.page.evaluate("getSelection().selectAllChildren(document.getElementById('json'))")
    reader.page.keyboard.press("Control+C")

    text = reader.page.evaluate("navigator.clipboard.readText()")

    assert json.loads(text)["profile"]["city"] == "Bath"


def test_an_operation_of_the_list_opens_its_form(site: Site, reader: BrowserPage) -> None:
    reader.go(ME)
    sign_in(reader, create_account(site))
    operations = reader.page.get_by_role("navigation", name="Operations")
    expect(operations.get_by_role("link", name="GET Read your account")).to_have_attribute("aria-current", "page")

    operations.get_by_role("link", name="PUT Replace your account").click()
    expect(reader.page.locator("#put form")).to_be_visible()
    operations.get_by_role("link", name="POST Change your password").click()

    expect(reader.page).to_have_url(f"{site.url}/userapi/auth/password/change/#post")
    expect(reader.page.locator("#post form")).to_be_visible()


def test_without_scripts_the_list_unfolds_on_a_phone_and_the_command_can_be_read(
    site: Site, watch: Callable[..., Any]
) -> None:
    with watch(site.url, java_script_enabled=False, viewport={"width": 375, "height": 800}) as visitor:
        visitor.go("/userapi/?x=1")
        link = visitor.page.get_by_role("link", name="POST Sign in", exact=True)
        expect(link).to_be_hidden()
        visitor.page.locator(".operations summary").click()
        expect(link).to_be_visible()
        expect(visitor.page.get_by_role("button", name="Copy as curl")).to_have_count(0)
        visitor.page.locator("#answer").get_by_text("curl", exact=True).click()
        expect(visitor.page.locator("#curl")).to_have_text(f"curl '{site.url}/userapi/?x=1'")
        assert visitor.faults == []


#: The tops of the label and the input of every field.
LABELS = """() => [...document.querySelectorAll("#patch .field:has(> .form-control)")].map((field) =>
  ["label", ".form-control"].map((part) => Math.round(field.querySelector(part).getBoundingClientRect().top)))"""


@pytest.mark.parametrize("language", ["en", "ar"])
def test_pages_are_accessible_at_every_width_in_both_directions(
    site: Site, watch: Callable[..., Any], staff_email: str, language: str
) -> None:
    with watch(site.url, locale=language) as browser:
        browser.go(f"/login/?next={ME}")
        browser.fill(email=staff_email, password=PASSWORD)
        browser.page.locator("main button[type=submit]").last.click()
        expect(browser.page.locator("#caller")).to_contain_text(staff_email)
        pages = {"list": f"{USERS}?limit=2", "missing": f"{USERS}999999/", "own": ME}
        for width, (name, path) in itertools.product((1440, 768, 375), pages.items()):
            browser.page.set_viewport_size({"width": width, "height": 900})
            browser.go(path)  # again for each width, because a script folds the list of operations on phones
            browser.page.locator(".headers, .curl").evaluate_all("all => all.forEach((part) => { part.open = true; })")
            for scheme in ("light", "dark"):
                browser.page.emulate_media(color_scheme=scheme)
                assert browser.violations(only=[CONTRAST] if scheme == "dark" else []) == [], (name, width, scheme)
                assert not browser.overflows(), (name, width, scheme)
                browser.shoot(f"api-{width}-{scheme}-{language}-{name}")
            if path == ME:
                tops = [tuple(pair) for pair in browser.page.evaluate(LABELS)]
                rows = dict(tops)
                assert all(rows[label] == box for label, box in tops)  # one label line, one input line
        directions = browser.page.locator("#json, #curl, h1 code + code, .call code + code").evaluate_all(
            "parts => parts.map((part) => getComputedStyle(part).direction)"
        )
        assert set(directions) == {"ltr"}
        address = browser.page.locator('#patch input[name="profile.address"]')
        assert address.get_attribute("dir") == "auto"
        assert browser.faults == []
