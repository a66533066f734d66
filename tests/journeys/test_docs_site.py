"""The documentation as a site in a real browser: readable, searchable, and without requests to other sites."""

import functools
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import config

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 375, "height": 800}

PAGES = ("index.html", "guides/add-a-profile-field.html", "settings.html")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it, in a folder of its own."""
    folder = tmp_path_factory.mktemp("docs")
    mkdocs = Path(sys.executable).with_name("mkdocs")
    subprocess.run(
        [mkdocs, "build", "--strict", "--quiet", "--site-dir", folder], cwd=config.ROOT, check=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def docs_site(built: Path) -> Iterator[str]:
    """The origin of a server of that folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(built))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_pages_are_accessible_and_fit_and_need_no_other_site(
    scheme: str, viewport: dict[str, int], docs_site: str, watch: Callable[..., Any]
) -> None:
    with watch(docs_site, viewport=viewport, color_scheme=scheme) as reader:
        for page in PAGES:
            reader.go(f"/{page}")
            reader.shoot(f"docs-{page.replace('/', '-')}-{viewport['width']}-{scheme}")

            assert reader.violations() == [], page
            assert not reader.overflows(), page
        assert reader.faults == []


def test_a_reader_finds_a_guide_by_a_word(docs_site: str, watch: Callable[..., Any]) -> None:
    with watch(docs_site, viewport=WIDE) as reader:
        reader.go("/index.html")
        box = reader.page.get_by_placeholder("Search")
        box.click()
        box.press_sequentially("signature")

        results = reader.page.locator(".md-search-result__link")
        expect(results.first).to_be_visible()
        assert any("other-services.html" in str(link.get_attribute("href")) for link in results.all())
        assert reader.faults == []


def test_the_site_has_the_colors_of_the_service(docs_site: str, watch: Callable[..., Any]) -> None:
    tokens = (config.ROOT / "userapi/static/ui/tokens.css").read_text()
    found = re.search(r"--ui-link: light-dark\((#\w+), (#\w+)\)", tokens)
    assert found is not None

    for scheme, color in zip(("light", "dark"), found.groups(), strict=True):
        with watch(docs_site, color_scheme=scheme) as reader:
            reader.go("/index.html")

            red, green, blue = bytes.fromhex(color.removeprefix("#"))
            link = reader.page.get_by_role("link", name="The tutorial")
            expect(link).to_have_css("color", f"rgb({red}, {green}, {blue})")


def test_the_search_knows_every_guide(built: Path) -> None:
    entries = json.loads((built / "search/search_index.json").read_text())["docs"]

    guides = {f"guides/{path.stem}.html" for path in (config.ROOT / "docs/guides").glob("*.md")}
    assert guides
    assert guides <= {entry["location"] for entry in entries}


def test_a_reader_chooses_light_or_dark(docs_site: str, watch: Callable[..., Any]) -> None:
    with watch(docs_site, viewport=WIDE, color_scheme="dark") as reader:
        reader.go("/index.html")
        body = reader.page.locator("body")
        expect(body).to_have_attribute("data-md-color-scheme", "slate")

        reader.page.get_by_title("Switch to light mode").click()
        expect(body).to_have_attribute("data-md-color-scheme", "default")

        reader.go("/settings.html")
        expect(body).to_have_attribute("data-md-color-scheme", "default")
