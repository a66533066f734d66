"""The list of users on screens of every width, and a bulk action, in a real browser (F10, F11, F13)."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import commands, http_server
from tests.support.browser import BrowserPage

#: More users than one request changes.
USERS = 1100

WIDTHS = {"phone": 375, "tablet": 820, "half a laptop": 1024, "desktop": 1440}


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    folder = tmp_path_factory.mktemp("office")
    settings = {"RATELIMIT_ENABLED": "false", "WORKERS": "1"}
    with http_server.run_server(
        folder, commands.environment(f"sqlite:///{folder}/office.db", folder, **settings)
    ) as server:
        seeded = commands.run(*commands.FLASK, "users", "seed", str(USERS), env=server.environment)
        assert seeded.code == 0, seeded.errors
        yield server


def sign_in(me: BrowserPage, office: http_server.Server, path: str) -> None:
    me.go(path)
    me.fill(email=office.email, password=office.password)
    me.page.locator("main button[type=submit]").first.click()


def lines(me: BrowserPage) -> float:
    """The number of lines of the email address with the most line breaks."""
    return float(
        me.page.evaluate(
            "Math.max(...[...document.querySelectorAll('.users tbody th a')].map(a => "
            "a.getBoundingClientRect().height / parseFloat(getComputedStyle(a).lineHeight)))"
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_can_be_read_sorted_and_selected_from_at_every_width(
    watch: Callable[..., Any], office: http_server.Server, width: str, scheme: str
) -> None:
    me: BrowserPage
    with watch(office.url, viewport={"width": WIDTHS[width], "height": 900}, color_scheme=scheme) as me:
        sign_in(me, office, "/admin/users/")
        me.shoot(f"users-{WIDTHS[width]}-{scheme}")

        assert me.violations() == []
        assert not me.overflows()
        assert lines(me) <= 2.1
        assert me.page.evaluate("[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)")
        if me.page.get_by_label("Sort by").is_visible():
            me.page.get_by_label("Sort by").select_option("Email, A to Z")
        else:
            me.page.get_by_role("columnheader", name="Email").get_by_role("link").click()
        me.page.wait_for_url("**ordering=email**")
        emails = me.page.locator(".users tbody th a").all_inner_texts()
        assert emails == sorted(emails)
        me.page.get_by_label("Select all on this page").check()
        assert "50" in me.page.locator("[data-count]").inner_text()
        assert me.faults == []


def test_the_list_stays_readable_with_names_of_maximum_length(
    watch: Callable[..., Any], office: http_server.Server
) -> None:
    email, name = "wide@example.com", "W" * 150
    made = commands.run(
        *commands.FLASK, "users", "create", "--email", email, "--first-name", name, "--last-name", name,
        env={**office.environment, "USER_PASSWORD": "velvet tram outside 7"},
    )  # fmt: skip
    assert made.code == 0, made.errors
    me: BrowserPage
    for width in WIDTHS.values():
        with watch(office.url, viewport={"width": width, "height": 900}) as me:
            sign_in(me, office, f"/admin/users/?search={email}")
            me.page.wait_for_load_state("load")

            me.page.get_by_role("link", name=email, exact=True).wait_for()
            me.page.wait_for_load_state()
            assert not me.overflows()
            assert me.page.evaluate(
                "[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)"
            )


def test_the_list_of_sessions_fits_at_every_width(watch: Callable[..., Any], office: http_server.Server) -> None:
    me: BrowserPage
    with watch(office.url, extra_http_headers={"Accept-Language": "de"}) as me:
        sign_in(me, office, "/admin/sessions/")
        me.page.get_by_role("table").wait_for()
        wide = []
        for width in (320, 375, 600, 768, 769, 800, 820, 900, 1024, 1280):
            me.page.set_viewport_size({"width": width, "height": 900})
            fits = me.page.evaluate(
                "[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= e.clientWidth)"
            )
            if me.overflows() or not fits:
                wide.append(width)
        me.page.set_viewport_size({"width": 800, "height": 900})
        me.shoot("sessions-800")

        assert wide == []
        button = me.page.locator(".cards .btn").first.bounding_box()
        assert button is not None
        assert button["height"] < 45


@pytest.mark.parametrize("width", [320, 375, 768, 820])
def test_the_menu_and_signing_out_work_without_scripts(
    watch: Callable[..., Any], office: http_server.Server, width: int
) -> None:
    me: BrowserPage
    with watch(office.url, viewport={"width": width, "height": 900}, java_script_enabled=False) as me:
        sign_in(me, office, "/admin/")
        me.shoot(f"menu-without-scripts-{width}")

        me.page.get_by_role("button", name="Menu").click()
        me.page.get_by_role("navigation", name="Staff site").get_by_role("link", name="Users").click()
        assert "/admin/users/" in me.page.url
        me.page.locator(".me summary").click()
        me.press("Sign out")
        assert "/admin/" not in me.page.url


def test_a_bulk_action_is_shown_with_its_progress(watch: Callable[..., Any], office: http_server.Server) -> None:
    me: BrowserPage
    with watch(office.url, viewport={"width": 820, "height": 1180}) as me:
        sign_in(me, office, "/admin/users/?is_staff=false")
        assert not me.page.get_by_role("button", name="Deactivate").is_visible()
        me.page.get_by_label("Select all on this page").check()
        me.page.get_by_label("All matching users, on every page").check()
        me.press("Deactivate")
        me.shoot("bulk-confirm")
        assert me.violations() == []
        me.press("Deactivate")
        me.page.get_by_role("heading", name="Results").wait_for()
        me.shoot("bulk-running")
        assert me.violations() == []
        me.page.get_by_text("Done", exact=True).wait_for(timeout=60_000)
        me.shoot("bulk-done")

        assert re.search(r"\b(1,10\d) of \1\b", me.page.inner_text("main"))  # some tests add users of their own
        assert me.violations() == []
        assert not me.overflows()
        me.go("/admin/bulk/")
        assert me.violations() == []
        me.shoot("bulk-list")
        assert me.faults == []


def test_fourteen_users_fit_on_a_screen(watch: Callable[..., Any], office: http_server.Server) -> None:
    me: BrowserPage
    with watch(office.url, viewport={"width": 1440, "height": 900}) as me:
        sign_in(me, office, "/admin/users/")
        rows = me.page.locator(".users tbody tr")
        rows.first.wait_for()

        boxes = [row.bounding_box() for row in rows.all()[:20]]
        assert sum(box is not None and box["y"] + box["height"] <= 900 for box in boxes) >= 14


def test_chosen_columns_and_saved_filters_stay(watch: Callable[..., Any], office: http_server.Server) -> None:
    me: BrowserPage
    with watch(office.url, viewport={"width": 1440, "height": 900}) as me:
        sign_in(me, office, "/admin/users/?is_staff=true")
        me.page.get_by_text("Columns", exact=True).click()
        me.page.get_by_label("City").check()
        me.page.get_by_label("Country").last.uncheck()
        me.press("Show these columns")
        heads = me.page.get_by_role("columnheader").all_inner_texts()
        assert [head.strip() for head in heads][2:] == ["Status", "City", "Joined", "Last sign-in"]

        me.page.get_by_text("Saved filters", exact=True).click()
        me.page.get_by_label("Save the current filters as").fill("Our staff")
        me.page.get_by_role("button", name="Save", exact=True).click()
        me.go("/admin/users/")
        me.page.get_by_text("Saved filters", exact=True).click()
        me.page.get_by_role("link", name="Our staff").click()
        assert "is_staff=true" in me.page.url
        assert me.violations() == []
        assert me.faults == []


@pytest.mark.parametrize("width", [320, 375, 768, 1440])
def test_every_menu_of_the_list_fits_and_is_accessible(
    watch: Callable[..., Any], office: http_server.Server, width: int
) -> None:
    me: BrowserPage
    with watch(office.url, viewport={"width": width, "height": 900}) as me:
        sign_in(me, office, "/admin/users/")
        for menu in ("Export", "Filters", "Saved filters", "Columns"):
            me.page.locator("main summary", has_text=menu).first.click()
            assert me.page.evaluate("document.documentElement.scrollWidth") <= width, menu
            assert me.violations() == [], menu
            me.page.keyboard.press("Escape")
