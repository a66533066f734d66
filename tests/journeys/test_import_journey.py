"""A superuser uploads a file of users in a real browser and watches its import."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import commands, http_server
from tests.support.browser import DESKTOP, PHONE, BrowserPage

USERS = 2500  # more than one batch


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http_server.Server]:
    folder = tmp_path_factory.mktemp("office")
    settings = {"RATELIMIT_ENABLED": "false", "WORKERS": "2"}
    with http_server.run_server(
        folder, commands.environment(f"sqlite:///{folder}/office.db", folder, **settings)
    ) as server:
        yield server


@pytest.mark.parametrize(
    ("viewport", "with_scripts"),
    [(DESKTOP, True), (PHONE, True), (DESKTOP, False)],
    ids=["desktop", "phone", "without scripts"],
)
def test_a_dry_run_and_an_import_are_followed_by_a_page_that_updates_itself(
    watch: Callable[..., Any],
    office: http_server.Server,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    viewport: dict[str, int],
    with_scripts: bool,
) -> None:
    name = str(request.node.callspec.id).replace(" ", "-")
    file = tmp_path / "users.csv"
    file.write_text("email\n" + "".join(f"{name}{n}@example.com\n" for n in range(USERS)) + "invalid\n")

    def look(part: str) -> None:
        assert not me.overflows(), part
        if with_scripts:
            assert me.violations() == [], part
        me.shoot(f"import-{name}-{part}")

    me: BrowserPage
    with watch(office.url, viewport=viewport, java_script_enabled=with_scripts) as me:
        me.go("/admin/imports/new/")
        me.fill(email=office.email, password=office.password)
        me.press("Sign in")
        assert me.page.get_by_label("Dry run").is_checked()
        look("form")
        me.page.get_by_label("File", exact=True).set_input_files(file)
        me.press("Upload file")

        me.page.get_by_role("button", name="Import now").wait_for()
        assert f"line {USERS + 2}" in me.page.inner_text("main")
        look("dry-run")
        me.press("Import now")
        me.page.get_by_role("heading", name="Results", exact=True).wait_for()
        me.page.get_by_text("Done", exact=True).wait_for()

        assert f"{USERS + 1:,} of {USERS + 1:,}" in me.page.inner_text("main")
        look("done")
        assert me.faults == []
        me.go(f"/admin/users/?search={name}{USERS - 1}")
        assert me.page.get_by_role("link", name=f"{name}{USERS - 1}@example.com").is_visible()
