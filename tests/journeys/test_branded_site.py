"""A site with its own name, logo and colour in a real browser, and the weight of its pages."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support import commands, http_server
from tests.support.browser import BrowserPage
from tests.support.images import SVG

#: A staff page may weigh this much with everything it loads, and after that by itself; in bytes, compressed.
FIRST_LOAD = 120_000
LATER_LOAD = 15_000

#: Pages that the superuser opens; the lists are full.
STAFF_PAGES = (
    "/admin/", "/admin/users/", "/admin/users/?is_active=true&size=50", "/admin/users/2/", "/admin/users/2/access/",
    "/admin/users/2/sessions/", "/admin/users/2/history/", "/admin/users/new/", "/admin/groups/1/",
    "/admin/groups/1/members/", "/admin/sessions/", "/admin/emails/", "/admin/audit/", "/admin/imports/new/",
    "/admin/bulk/", "/admin/system/",
)  # fmt: skip

LOGO = SVG.replace(b"<rect", b"<script>document.title = 'run'</script><rect")


@pytest.fixture(scope="module")
def branded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    """The service with settings for its name and look, and 300 users."""
    folder = tmp_path_factory.mktemp("branded")
    (folder / "logo").write_bytes(LOGO)
    look = {"SITE_NAME": "Harbour Books", "SITE_COLOR": "#facc15", "SITE_LOGO": str(folder / "logo"), "WORKERS": "1"}
    environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **look)
    with http_server.run_server(folder, environment) as server:
        seeded = commands.run(
            *commands.FLASK, "users", "seed", "300", "--with-activity", env=server.environment, cwd=folder
        )
        assert seeded.code == 0, seeded.errors
        yield server


def count_bytes(visitor: BrowserPage) -> Callable[[], int]:
    """Count what the network delivers to a page; the result returns the bytes since the last call."""
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("Network.enable")
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(round(event["encodedDataLength"])))

    def take() -> int:
        visitor.page.wait_for_load_state("networkidle")
        total = sum(sizes)
        sizes.clear()
        return total

    return take


def sign_in_as_superuser(visitor: BrowserPage, server: http_server.Server) -> None:
    visitor.go("/login/?next=/admin/users/")
    visitor.fill(email=server.email, password=str(server.password))
    visitor.press("Sign in")
    visitor.page.wait_for_url("**/admin/users/")


def pale_texts(visitor: BrowserPage) -> list[str]:
    return [violation for violation in visitor.violations() if violation.startswith("color-contrast")]


def test_staff_pages_are_light(watch: Callable[..., Any], branded: http_server.Server) -> None:
    with watch(branded.url) as visitor:
        take_bytes = count_bytes(visitor)
        sign_in_as_superuser(visitor, branded)
        first = take_bytes()  # with the sign-in page
        later = {}
        for path in STAFF_PAGES:
            visitor.go(path)
            take_bytes()
            visitor.go(path)
            later[path] = take_bytes()

        assert first <= FIRST_LOAD
        assert {path: size for path, size in later.items() if size > LATER_LOAD} == {}
        assert visitor.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_page_shows_name_logo_and_readable_color(
    watch: Callable[..., Any], branded: http_server.Server, scheme: str
) -> None:
    with watch(branded.url, color_scheme=scheme) as visitor:
        visitor.go("/login/")
        button = visitor.page.get_by_role("button", name="Sign in", exact=True)
        assert button.evaluate("button => getComputedStyle(button).backgroundColor") == "rgb(250, 204, 21)"
        assert button.evaluate("button => getComputedStyle(button).color") == "rgb(17, 24, 39)"
        assert pale_texts(visitor) == []
        sign_in_as_superuser(visitor, branded)
        for path in ("/admin/users/", "/account/", "/userapi/", "/nothing/"):
            visitor.go(path)
            assert "Harbour Books" in visitor.page.title(), path
            logo = visitor.page.locator("a.brand").first.locator("img")
            expect(logo, path).to_be_visible()
            assert logo.evaluate("image => image.naturalWidth") > 0, path
            assert pale_texts(visitor) == [], path

        assert visitor.faults == []


def test_a_script_in_the_logo_does_not_run(watch: Callable[..., Any], branded: http_server.Server) -> None:
    with watch(branded.url) as visitor:
        visitor.go("/site-logo")

        assert visitor.page.title() != "run"
