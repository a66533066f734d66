"""A member of staff looks at an account in a real browser, and returns."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import commands, http_server
from tests.support.browser import PHONE
from tests.support.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]

USER = "ada.lovelace.with.a.long.name@customers.example.com"
SUPPORT = "support.of.the.evening.shift@department.example.com"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("support")
    settings = {"IMPERSONATION": "true", "RATELIMIT_ENABLED": "false", "WORKERS": "1", "MAIL_DELIVERY": "none"}
    environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **settings)
    with http_server.run_server(Path(folder), environment) as server:
        for command in (
            ("users", "create", "--email", USER, "--first-name", "Ada", "--last-name", "Lovelace"),
            ("groups", "create", "Support", "--permission", "view_user", "--permission", "impersonate_user"),
            ("users", "create", "--email", SUPPORT, "--first-name", "Sam", "--staff", "--no-group"),
            ("groups", "add", SUPPORT, "Support"),
        ):
            run = commands.run(*commands.FLASK, *command, env=server.environment | {"USER_PASSWORD": PASSWORD})
            assert run.code == 0, run.errors
        yield server.url


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE, "java_script_enabled": False}], ids=["desktop", "phone"])
def test_W70_journey_of_support(url: str, watch: Callable[..., Any], options: dict[str, Any]) -> None:
    with watch(url, **options) as browser:
        page = browser.page
        browser.go("/login/?next=/admin/users/")
        browser.fill(email=SUPPORT, password=PASSWORD)
        browser.press("Sign in")
        page.get_by_role("link", name=USER).first.click()
        page.get_by_text("Actions", exact=True).click()
        page.get_by_role("link", name="Sign in as this user").click()
        browser.fill(reason="Ticket 4711: the order is missing")
        browser.press("Sign in as this user")

        page.wait_for_url(f"{url}/account/")
        banner = page.get_by_role("complementary", name="Signed in as a user")
        assert USER in banner.inner_text()
        assert SUPPORT in banner.inner_text()
        assert "30 minutes left" in banner.inner_text()
        assert not browser.overflows()

        browser.fill(first_name="Eve")
        browser.press("Save profile")
        page.get_by_role("heading", name="Not available while signed in as a user").wait_for()
        assert banner.is_visible()

        browser.press("Stop")
        page.wait_for_url(f"{url}/admin/users/*/")
        page.get_by_text(f"You are no longer signed in as {USER}.").wait_for()
        assert "Eve" not in page.content()
        assert browser.faults == []
