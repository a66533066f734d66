"""The pictures in the README and docs/, taken from a database that `flask users seed --with-activity` filled.

`make pictures` writes them to docs/images; other test runs save them with the other screenshots.
"""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import config
from tests.support import commands, http_server, servers
from tests.support.browser import ARTIFACTS, BrowserPage
from tests.support.django_admin import run_django_admin
from tests.support.factories import PASSWORD

#: Set by `make pictures`.
WRITES = "WRITE_PICTURES"
IMAGES = config.ROOT / "docs" / "images"

SCREEN = {"width": 1440, "height": 900}
EMAIL = "ottoline.fairweather@example.com"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    folder = tmp_path_factory.mktemp("pictures")
    with servers.smtp_sink() as sink:
        settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "WORKERS": "1"}
        environment = commands.environment(f"sqlite:///{folder}/office.db", folder, **settings)
        with http_server.run_server(folder, environment) as server:
            for arguments in (
                ("seed", "2000", "--with-activity", "--random-seed", "7", "--password", PASSWORD),
                ("create", "--email", EMAIL, "--first-name", "Ottoline", "--last-name", "Fairweather"),
            ):
                run = commands.run(*commands.FLASK, "users", *arguments, env=environment | {"USER_PASSWORD": PASSWORD})
                assert run.code == 0, run.errors
            send_emails_of_a_month(folder / "office.db")
            yield server


def send_emails_of_a_month(database: Path) -> None:
    """Insert sent emails directly into the database, because the chart only counts them for each day."""
    now = datetime.now(UTC).replace(tzinfo=None)
    moments = [
        now - timedelta(days=day, hours=number % 7 + 1) for day in range(30) for number in range(9 + day * 5 % 8)
    ]
    rows = [
        (str(moment), "verify_email", EMAIL, "Confirm your email address", f"{n:032x}")
        for n, moment in enumerate(moments)
    ]
    with sqlite3.connect(database) as connection:
        connection.executemany(
            "INSERT INTO messages (created_at, sent_at, kind, recipient, subject, text, html, message_id, attempts)"
            " VALUES (?1, ?1, ?2, ?3, ?4, '', '', ?5, 1)",
            rows,
        )
    connection.close()


@pytest.fixture(scope="module")
def django_admin(office: http_server.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Django admin with the same users."""
    file = Path(office.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    with run_django_admin(tmp_path_factory.mktemp("django"), file, PASSWORD) as origin:
        yield origin


@pytest.fixture
def staff_browser(watch: Callable[..., Any], office: http_server.Server) -> Iterator[BrowserPage]:
    """A browser in which the superuser is signed in to the staff site."""
    me: BrowserPage
    with watch(office.url, viewport=SCREEN) as me:
        me.go("/admin/")
        me.fill(email=office.email, password=str(office.password))
        me.press("Sign in")
        yield me
    assert me.faults == []


def take_picture(browser: BrowserPage, name: str) -> None:
    """Save a picture of the screen."""
    folder = IMAGES if os.environ.get(WRITES) else ARTIFACTS
    folder.mkdir(exist_ok=True)
    browser.page.screenshot(path=folder / f"{name}.png")


def count_rows_in_sight(browser: BrowserPage, selector: str) -> int:
    """The number of rows whose whole height is on the screen."""
    boxes = [row.bounding_box() for row in browser.page.locator(selector).all()[:40]]
    return sum(box is not None and box["y"] + box["height"] <= SCREEN["height"] for box in boxes)


def open_user(browser: BrowserPage) -> None:
    browser.go("/admin/users/?search=ottoline")
    browser.page.get_by_role("link", name=EMAIL, exact=True).click()


def test_the_overview_of_the_staff_site(staff_browser: BrowserPage) -> None:
    staff_browser.go("/admin/")

    take_picture(staff_browser, "staff-overview")

    assert staff_browser.page.locator("svg").count() >= 4


def test_the_list_of_users(staff_browser: BrowserPage) -> None:
    staff_browser.go("/admin/users/")

    take_picture(staff_browser, "staff-users")

    assert count_rows_in_sight(staff_browser, "table.users tbody tr") >= 14


def test_the_same_users_in_django_admin(
    watch: Callable[..., Any], django_admin: str, office: http_server.Server
) -> None:
    with watch(django_admin, viewport=SCREEN) as django:
        django.go("/admin/")
        django.fill(username=office.email, password=PASSWORD)
        django.page.locator("[type=submit]").click()

        django.go("/admin/auth/user/")
        take_picture(django, "django-users")
        assert count_rows_in_sight(django, "#result_list tbody tr") >= 14

        django.go("/admin/auth/user/?q=ottoline")
        django.page.locator("#result_list tbody th a").click()
        take_picture(django, "django-user")
        assert django.page.get_by_label("Email address").input_value() == EMAIL


def test_a_user_and_an_edit_conflict_on_the_staff_site(staff_browser: BrowserPage, watch: Callable[..., Any]) -> None:
    open_user(staff_browser)
    staff_browser.fill(
        username="otto", profile__title="Ms", profile__dob="1990-12-10", profile__address="12 Pulteney Street"
    )
    staff_browser.fill(profile__zip="BA2 4", profile__city="Bath", profile__country="United Kingdom")
    staff_browser.press("Save")
    open_user(staff_browser)
    take_picture(staff_browser, "staff-user")

    other = staff_browser.page.context.new_page()
    other.goto(staff_browser.page.url)
    other.locator('input[name="last_name"]').fill("Merriweather")
    other.get_by_role("button", name="Save", exact=True).click()
    other.close()
    staff_browser.fill(first_name="Otti")
    staff_browser.press("Save")

    assert "Otti" in staff_browser.page.locator(".notice table").inner_text()
    take_picture(staff_browser, "staff-clash")


def test_a_mistake_on_an_api_page(staff_browser: BrowserPage) -> None:
    staff_browser.go("/userapi/users/2/")
    staff_browser.page.locator('#patch input[name="username"]').fill(
        "merna.kelly.of.the.customer.service.in.boston.massachusetts"
    )
    staff_browser.page.locator("#patch form > .buttons > [type=submit]").click()
    expect(staff_browser.page.locator("#answer h2")).to_have_text("400 Bad Request")
    expect(staff_browser.page.locator("#patch .error")).to_be_visible()
    staff_browser.page.evaluate("scrollTo(0, 0)")
    take_picture(staff_browser, "browse")


def test_every_picture_of_the_documents_is_taken_here() -> None:
    pages = [config.ROOT / "README.md", *(config.ROOT / "docs").rglob("*.md")]
    shown = {name for page in pages for name in re.findall(r"images/([a-z-]+)\.png", page.read_text())}

    assert shown == {path.stem for path in IMAGES.iterdir()}
    assert shown == set(re.findall(r'take_picture\(\w+, "([a-z-]+)"\)', Path(__file__).read_text()))
