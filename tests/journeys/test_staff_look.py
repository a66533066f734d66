"""The staff site in a real browser: charts, emails, sessions, and what the overview weighs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support import commands, http_server
from tests.support.browser import BrowserPage
from tests.support.factories import PASSWORD

#: Everything that the overview loads in a new browser, in bytes, compressed.
MAX_FIRST_LOAD = 120_000


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    """The service with users, their activity, and one queued email."""
    folder = tmp_path_factory.mktemp("look")
    settings = {"RATELIMIT_ENABLED": "false", "WORKERS": "1"}
    environment = commands.environment(f"sqlite:///{folder}/look.db", folder, **settings)
    with http_server.run_server(folder, environment) as server:
        for command in (
            "users seed 200 --with-activity",
            "users create --email reader@example.com",
            "users promote reader@example.com --superuser",
        ):
            settings = {**server.environment, "USER_PASSWORD": PASSWORD}
            done = commands.run(*commands.FLASK, *command.split(), env=settings, cwd=folder)
            assert done.code == 0, done.errors
        yield server


@pytest.fixture
def open_staff(watch: Callable[..., Any], office: http_server.Server) -> Iterator[Callable[..., BrowserPage]]:
    """Opens signed-in browsers of the superuser. No page may cause errors or requests to other sites."""
    opened: list[Any] = []

    def open_page(**options: Any) -> BrowserPage:
        maker = watch(office.url, **options)
        browser: BrowserPage = maker.__enter__()
        opened.append((maker, browser))
        browser.go("/login/?next=/admin/")
        browser.fill(email=office.email, password=str(office.password))
        browser.press("Sign in")
        browser.page.wait_for_url("**/admin/")
        return browser

    yield open_page
    for maker, browser in opened:
        assert browser.faults == []
        maker.__exit__(None, None, None)


def test_the_charts_show_the_number_of_the_day_under_the_pointer(open_staff: Callable[..., BrowserPage]) -> None:
    visitor = open_staff()
    visitor.go("/admin/?days=7")
    plot = visitor.page.locator(".plot[data-numbers]").first
    expect(plot.locator("canvas")).to_be_visible()
    box = plot.locator(".u-over").bounding_box()
    assert box
    numbers = str(plot.get_attribute("data-numbers")).split(",")
    assert len(numbers) == 7

    visitor.page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)

    expect(plot.locator(".plot-tooltip")).to_be_visible()
    expect(plot.locator(".plot-tooltip")).to_contain_text(f": {numbers[-1]}")
    visitor.page.get_by_role("link", name="90 days").click()
    expect(visitor.page.locator(".plot[data-numbers]").first.locator("canvas")).to_be_visible()
    assert visitor.page.url.endswith("?days=90")


def test_the_charts_follow_the_width_of_the_window(open_staff: Callable[..., BrowserPage]) -> None:
    visitor = open_staff()
    canvas = visitor.page.locator(".plot canvas").first
    expect(canvas).to_be_visible()

    visitor.page.set_viewport_size({"width": 320, "height": 640})

    visitor.page.wait_for_function("document.querySelector('.plot canvas').getBoundingClientRect().width < 300")
    assert not visitor.overflows()


@pytest.mark.parametrize("width", [1440, 320])
def test_without_scripts_the_charts_are_drawn_by_the_server_with_readable_text(
    open_staff: Callable[..., BrowserPage], width: int
) -> None:
    visitor = open_staff(java_script_enabled=False, viewport={"width": width, "height": 900})
    plot = visitor.page.locator(".plot[data-numbers]").first

    expect(plot.locator("svg rect")).to_have_count(30)
    size = plot.locator(".plot-text").first.evaluate("text => parseFloat(getComputedStyle(text).fontSize)")
    assert size >= 12
    visitor.page.locator("figure summary").first.click()
    expect(visitor.page.locator("figure table").first.locator("tbody tr")).to_have_count(30)


def test_the_parts_of_an_email_open_without_scripts(open_staff: Callable[..., BrowserPage]) -> None:
    visitor = open_staff(java_script_enabled=False)
    visitor.go("/admin/emails/1/")
    expect(visitor.page.locator("iframe.email-text")).to_be_visible()

    visitor.page.get_by_text("Headers", exact=True).click()

    expect(visitor.page.locator("pre.email-text").last).to_contain_text("Subject:")
    expect(visitor.page.locator("iframe.email-text")).to_be_hidden()


def test_selected_sessions_are_ended_after_a_question(open_staff: Callable[..., BrowserPage]) -> None:
    visitor = open_staff()
    visitor.go("/admin/sessions/?state=active&address=192.0.2.")
    boxes = visitor.page.locator("input[name=session]")
    before = boxes.count()
    assert before > 2
    expect(visitor.page.get_by_role("button", name="End selected sessions")).to_be_hidden()

    boxes.nth(0).check()
    boxes.nth(1).check()
    expect(visitor.page.get_by_text("2 selected")).to_be_visible()
    visitor.press("End selected sessions")
    visitor.press("Continue")

    expect(visitor.page.get_by_text("2 sessions were ended.")).to_be_visible()


def test_the_overview_is_light_in_a_new_browser(open_staff: Callable[..., BrowserPage]) -> None:
    visitor = open_staff()
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(round(event["encodedDataLength"])))

    visitor.go("/admin/?days=90")
    visitor.page.wait_for_load_state("networkidle")

    assert len(sizes) > 5
    assert sum(sizes) <= MAX_FIRST_LOAD
