"""Long email addresses and long words on narrow pages of the staff site, in a real browser."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import commands, http_server
from tests.support.browser import BrowserPage
from tests.support.factories import PASSWORD
from userapi.users.permission_names import KINDS

#: The boxes of the table of permissions.
BOXES = sum(len(kind.actions) for kind in KINDS)

#: 131 characters.
LONG = f"{'a' * 50}.{'b' * 12}@{'c' * 30}.{'d' * 24}.example.com"

LISTS = (
    "/admin/users/?search={}", "/admin/audit/", "/admin/emails/", "/admin/sessions/", "/admin/groups/1/members/",
)  # fmt: skip

LINES = """() => [...document.querySelectorAll('.list .address')]
    .filter(address => address.textContent.length > 100)
    .map(address => address.clientHeight / parseFloat(getComputedStyle(address).lineHeight))"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    """The service with a member of staff who has a very long email address, a session and an email."""
    folder = tmp_path_factory.mktemp("long")
    environment = commands.environment(f"sqlite:///{folder}/long.db", folder, RATELIMIT_ENABLED="false", WORKERS="1")
    with http_server.run_server(folder, environment) as server:
        for command in (f"create --email {LONG}", f"promote {LONG} --superuser"):
            settings = {**server.environment, "USER_PASSWORD": PASSWORD}
            done = commands.run(*commands.FLASK, "users", *command.split(), env=settings, cwd=folder)
            assert done.code == 0, done.errors
        yield server


@pytest.fixture
def open_staff(watch: Callable[..., Any], office: http_server.Server) -> Iterator[Callable[..., BrowserPage]]:
    """Opens browsers in which that member of staff is signed in."""
    opened: list[Any] = []

    def open_page(**options: Any) -> BrowserPage:
        opened.append(watch(office.url, **options))
        browser: BrowserPage = opened[-1].__enter__()
        browser.go("/login/?next=/admin/")
        browser.fill(email=LONG, password=PASSWORD)
        browser.page.locator("main button[type=submit]:not([data-shows])").click()
        browser.page.wait_for_url("**/admin/")
        return browser

    yield open_page
    for browser in opened:
        browser.__exit__(None, None, None)


@pytest.mark.parametrize("width", [320, 820, 1440])
def test_a_long_email_takes_at_most_two_lines_in_every_list(open_staff: Callable[..., BrowserPage], width: int) -> None:
    browser = open_staff(viewport={"width": width, "height": 900})
    lines = {}
    for path in LISTS:
        browser.go(path.format(LONG[:40]))
        assert not browser.overflows(), path
        lines[path] = browser.page.evaluate(LINES)

    assert all(found and max(found) < 2.1 for found in lines.values()), lines
    browser.go(LISTS[0].format(LONG[:40]))
    assert browser.page.locator(".list .address").first.get_attribute("title") == LONG


@pytest.mark.parametrize("language", ["ar", "de"])
@pytest.mark.parametrize("width", [320, 600, 601])
def test_the_permissions_fit_at_every_width_with_a_name_for_each_box(
    open_staff: Callable[..., BrowserPage], width: int, language: str
) -> None:
    browser = open_staff(viewport={"width": width, "height": 900}, locale=language)
    browser.go(f"/admin/users/?search={LONG[:40]}")
    user = browser.page.locator(".users tbody th a").get_attribute("href").split("?")[0]

    for path in (f"{user}access/", "/admin/groups/new/"):
        browser.go(path)
        table = browser.page.locator(".permissions")
        assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth"), path
        boxes = table.get_by_role("checkbox")
        assert boxes.count() == BOXES
        names = {str(boxes.nth(index).get_attribute("aria-label")) for index in range(BOXES)}
        assert len(names) == BOXES
        assert browser.violations() == []
        shown = [table.locator("td span").nth(index).is_visible() for index in range(BOXES)]
        assert all(shown) if width <= 600 else not any(shown)


def test_forms_of_the_built_in_profile_fields_are_accessible_and_fit_a_phone(
    open_staff: Callable[..., BrowserPage],
) -> None:
    """Tests of how all pages look have a service with own fields, whose forms come from another template."""
    browser = open_staff(viewport={"width": 320, "height": 900})
    browser.go(f"/admin/users/?search={LONG[:40]}")
    user = browser.page.locator(".users tbody th a").get_attribute("href").split("?")[0]

    for path in (user, "/account/", "/register/profile/"):
        browser.go(path)
        assert browser.page.locator('[name="profile.dob"]').is_visible(), path
        assert browser.violations() == [], path
        assert not browser.overflows(), path
