"""A working day on the staff site in a real browser, of a superuser, limited staff, and a user without access."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import commands, http_server, servers
from tests.support.browser import BrowserPage
from tests.support.factories import PASSWORD

CROWD = 100_000
NEW = "ottoline.fairweather@example.com"


@dataclass
class Office:
    """The running service with many accounts, and its first superuser."""

    url: str
    email: str
    password: str


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    with servers.smtp_sink() as sink:
        settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "RATELIMIT_ENABLED": "false", "WORKERS": "1"}
        environment = commands.environment(f"sqlite:///{folder}/office.db", folder, **settings)
        with http_server.run_server(folder, environment) as server:
            assert server.password
            insert_many_users(folder / "office.db")
            for arguments in (("helper@example.com", "--staff", "--no-group"), ("visitor@example.com",)):
                email, *flags = arguments
                command = (*commands.FLASK, "users", "create", "--email", email, *flags, "--password-stdin")
                assert commands.run(*command, env=environment, stdin=f"{PASSWORD}\n").code == 0
            yield Office(server.url, server.email, server.password)


def insert_many_users(database: Path) -> None:
    """Insert many users directly into the database, so that one has to be searched for."""
    names = ("Abara", "Bellweather", "Castellan", "Dunmore", "Eastlake", "Finchley", "Greyling")
    rows = [
        (f"crowd{n:06}@example.com", f"crowd{n:06}@example.com", "Crowd", names[n % 7], "crowd", names[n % 7].lower(),
         f"2026-{n % 11 + 1:02}-{n % 28 + 1:02} 08:00:00.000000")
        for n in range(CROWD)
    ]  # fmt: skip
    with sqlite3.connect(database) as connection:
        connection.executemany(
            "INSERT INTO users (email, email_key, first_name, last_name, first_name_key, last_name_key,"
            " session_version, is_active, is_staff, is_superuser, date_joined)"
            " VALUES (?, ?, ?, ?, ?, ?, 0, 1, 0, 0, ?)",
            rows,
        )
    connection.close()


@pytest.fixture
def open_browser(watch: Callable[..., Any], office: Office) -> Iterator[Callable[..., BrowserPage]]:
    """Opens signed-in browsers, of the superuser by default. No page may cause errors or requests to other sites."""
    open_browsers: list[Any] = []

    def open_staff_browser(email: str = office.email, password: str = office.password, **options: Any) -> BrowserPage:
        maker = watch(office.url, **options)
        browser: BrowserPage = maker.__enter__()
        open_browsers.append((maker, browser))
        browser.go("/admin/")
        browser.fill(email=email, password=password)
        browser.press("Sign in")
        return browser

    yield open_staff_browser
    for maker, browser in open_browsers:
        assert browser.faults == []
        maker.__exit__(None, None, None)


def heading(browser: BrowserPage) -> str:
    return str(browser.page.locator("h1").first.inner_text())


def notice(browser: BrowserPage) -> str:
    return str(browser.page.locator(".notice").first.inner_text())


def follow(browser: BrowserPage, link: str) -> None:
    browser.page.get_by_role("link", name=link, exact=True).first.click()


def search(browser: BrowserPage, text: str) -> None:
    browser.go("/admin/users/")
    browser.page.get_by_label("Search users").fill(text)
    browser.press("Search")


def test_a_working_day_of_a_superuser(open_browser: Callable[..., BrowserPage]) -> None:
    me = open_browser()
    page = me.page
    assert heading(me) == "Overview"

    # Add a user in two steps, with a profile.
    follow(me, "Users")
    assert re.search(r"1–50 of 100,\d{3} users", page.inner_text("main"))
    follow(me, "Add user")
    me.fill(email=NEW, password1=PASSWORD, password2=PASSWORD)
    me.press("Create and continue")
    assert heading(me) == NEW
    me.fill(first_name="Ottoline", last_name="Fairweather", profile__title="Ms", profile__dob="1990-12-10")
    me.fill(profile__address="12 Pulteney Street", profile__zip="BA2 4", profile__city="Bath", profile__country="UK")
    me.press("Save")
    assert f"{NEW} was saved." in notice(me)

    # Find her among many users; after a change of her name the list is the same as before.
    search(me, "ottoline.f")
    assert page.locator("tbody tr").count() == 1
    follow(me, NEW)
    me.fill(last_name="Merriweather")
    me.press("Save")
    assert "Merriweather" in page.inner_text("tbody")
    assert page.locator("tbody tr").count() == 1

    # Another browser saves first: nothing is overwritten.
    colleague = open_browser()
    follow(me, NEW)
    search(colleague, "ottoline.f")
    follow(colleague, NEW)
    colleague.fill(username="otto")
    colleague.press("Save")
    me.fill(first_name="Otti")
    me.press("Save")
    assert "Someone else changed this user" in notice(me)
    assert "Otti" in page.locator(".notice table").inner_text()
    assert page.get_by_label("Username").input_value() == "otto"
    me.shoot("staff-clash")
    me.press("Save")
    assert "was saved" in notice(me)

    # Deactivate two users at the same time, after a confirmation.
    search(me, "crowd00000")
    for box in ("crowd000001@example.com", "crowd000002@example.com"):
        page.get_by_label(f"Select {box}").check()
    assert "2 selected" in page.inner_text(".bulk-bar")
    me.press("Deactivate")
    assert heading(me) == "Deactivate 2 users?"
    me.shoot("staff-confirm")
    me.press("Deactivate")
    assert "2 users deactivated." in notice(me)

    # Read the audit log of the user.
    search(me, "ottoline.f")
    follow(me, NEW)
    follow(me, "Audit log")
    history = page.inner_text("main")
    assert "Fairweather" in history
    assert "Merriweather" in history
    assert "user.created" in history
    me.shoot("staff-history")

    # End the session of the other browser.
    follow(me, "Sessions")
    page.get_by_label("User", exact=True).fill("")
    page.get_by_label("Status").select_option("active")
    me.press("Apply")
    rows = page.locator("tbody tr").filter(has_not_text="current session")
    rows.first.get_by_role("button").click()
    me.press("Continue")
    assert "was ended" in notice(me)
    colleague.go("/admin/")
    assert "/login/" in colleague.page.url

    # Export a filtered list.
    search(me, "ottoline.f")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        me.press("Export as CSV")
    assert "Merriweather" in Path(download.value.path()).read_text()

    # Delete the user, after seeing what is deleted with her, and sign out.
    follow(me, NEW)
    page.get_by_text("Actions", exact=True).click()
    follow(me, "Delete…")
    assert "Profile: 1" in page.inner_text("main")
    me.shoot("staff-delete")
    me.press("Delete user")
    assert f"{NEW} was deleted." in notice(me)
    page.locator(".me summary").click()
    me.press("Sign out")
    me.go("/admin/users/")
    assert "/login/" in page.url


def test_a_working_day_of_limited_staff(open_browser: Callable[..., BrowserPage]) -> None:
    superuser = open_browser()
    superuser.go("/admin/groups/new/")
    superuser.fill(name="Readers of accounts")
    superuser.page.get_by_label("View: Users").check()
    superuser.press("Save")
    search(superuser, "helper")
    follow(superuser, "helper@example.com")
    follow(superuser, "Access")
    superuser.page.get_by_label("Readers of accounts").check()
    superuser.press("Save")
    assert "was saved" in notice(superuser)

    helper = open_browser("helper@example.com", PASSWORD)
    assert helper.page.locator("nav.side ul a").all_inner_texts() == ["Overview", "Users"]
    search(helper, "crowd00000")
    assert helper.page.get_by_role("link", name="Add user").count() == 0
    follow(helper, "crowd000007@example.com")
    assert helper.page.get_by_label("Email", exact=True).is_disabled()
    assert helper.page.get_by_role("button", name="Save", exact=True).count() == 0
    helper.shoot("staff-limited")
    helper.go("/admin/groups/")
    assert "Permission denied" in heading(helper)
    helper.shoot("staff-denied")


def test_a_user_who_is_not_staff_is_denied(open_browser: Callable[..., BrowserPage]) -> None:
    visitor = open_browser("visitor@example.com", PASSWORD)

    assert heading(visitor) == "Permission denied"
    assert visitor.page.get_by_role("link", name="Groups").count() == 0


def test_the_staff_site_can_be_used_with_the_keyboard(open_browser: Callable[..., BrowserPage]) -> None:
    browser = open_browser()
    page = browser.page
    browser.go("/admin/users/?ordering=email")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.get_by_role("link", name="crowd000005@example.com").focus()
    page.keyboard.press("Enter")
    page.get_by_label("First name").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("Tabitha")
    page.keyboard.press("Enter")
    page.get_by_role("rowheader", name="Tabitha").wait_for()

    assert page.url.endswith("/admin/users/?ordering=email")
    assert page.get_by_role("rowheader", name="Tabitha").count() == 1
