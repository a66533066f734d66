"""A real browser on the running service, with checks for accessibility, errors and requests to other sites."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import config
from tests.support import accessibility, commands, http_server, servers

#: Where screenshots are kept.
ARTIFACTS = config.ROOT / "tests" / "artifacts"

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 320, "height": 640}

EMAIL_TIMEOUT = 20

#: How long a browser may take for what a test expects, in milliseconds, on a machine that runs several at a time.
TIMEOUT = 20_000
expect.set_options(timeout=TIMEOUT)

#: Waits until the page looks as it will stay: a frame has been drawn, which also calls what listens for a change of the
#: color scheme, and no transition runs. Animations without end do not count.
UNTIL_STILL = """async () => {
  const frame = () => new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)));
  const running = () => document.getAnimations().filter((animation) =>
    animation.playState === "running" && Number.isFinite(animation.effect.getComputedTiming().endTime));
  const deadline = performance.now() + 5000;
  do await frame(); while (running().length && performance.now() < deadline);
  return running().length;
}"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses a browser, before tests are selected by their marks."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for all tests of a module."""
    path = servers.chromium_path()
    if path is None:
        pytest.skip("no Chromium or Chrome on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@dataclass
class Site:
    """The running service, the mail server it sends to, and the environment of its commands."""

    url: str
    sink: servers.SmtpSink
    environment: dict[str, str]

    def email(self, recipient: str, subject: str) -> EmailMessage:
        """Wait for an email to a recipient with a subject. Returns the newest."""
        deadline = time.monotonic() + EMAIL_TIMEOUT
        while time.monotonic() < deadline:
            for message in reversed(self.sink.messages):
                if message["To"] == recipient and message["Subject"] == subject:
                    return message
            time.sleep(0.05)
        arrived = [(message["To"], message["Subject"]) for message in self.sink.messages]
        raise AssertionError(f"no email {subject!r} to {recipient}; arrived: {arrived}")

    def link(self, recipient: str, subject: str) -> str:
        """The link in that email."""
        body = self.email(recipient, subject).get_body(("plain",))
        assert body is not None
        (link,) = re.findall(rf"{self.url}/\S+/\S+/", body.get_content())
        return str(link)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The service as `make run` starts it, with a mail server of its own."""
    folder = tmp_path_factory.mktemp("site")
    with servers.smtp_sink() as sink:
        settings = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "RATELIMIT_ENABLED": "false", "WORKERS": "1"}
        environment = commands.environment(f"sqlite:///{folder}/site.db", folder, **settings)
        with http_server.run_server(folder, environment) as server:
            yield Site(server.url, sink, server.environment)


class BrowserPage:
    """A page in the browser, its errors, and its requests to other sites."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.console_errors: list[str] = []
        self.elsewhere: list[str] = []
        page.on(
            "console", lambda message: self.console_errors.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: self.console_errors.append(str(error)))
        page.on("request", lambda request: self._note(request.url))

    def _note(self, url: str) -> None:
        if not url.startswith((f"{self.origin}/", "data:")):
            self.elsewhere.append(url)

    @property
    def faults(self) -> list[str]:
        """Requests to other sites, and errors in the console except for the status of a rejected form."""
        rejected = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")
        return self.elsewhere + [error for error in self.console_errors if not rejected.match(error)]

    def go(self, path: str) -> None:
        """Open a page of the service."""
        self.page.goto(self.origin + path)

    def press(self, button: str) -> None:
        """Press a button, by its name."""
        self.page.get_by_role("button", name=button, exact=True).click()

    def fill(self, **fields: str) -> None:
        """Fill in inputs, named as in the form but with `__` for the dot."""
        for name, text in fields.items():
            self.page.locator(f'input[name="{name.replace("__", ".")}"]').fill(text)

    def shoot(self, name: str) -> None:
        """Save a screenshot of the whole page."""
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)

    def wait_until_still(self) -> None:
        """Wait until a change of the page, the window or the color scheme has taken effect."""
        assert self.page.evaluate(UNTIL_STILL) == 0, "animations do not end"

    def violations(self, only: Sequence[str] = (), rules: dict[str, Any] | None = None) -> list[str]:
        """The violations that axe-core finds in the page when it is still, by all or only some rules."""
        self.wait_until_still()
        return accessibility.violations(self.page, only, rules or {})

    def overflows(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.fixture
def watch(chromium: Browser) -> Callable[..., Any]:
    """Opens pages, each in a new browser profile: `with watch(origin, viewport=PHONE) as visitor`."""

    @contextmanager
    def make(origin: str, **options: Any) -> Iterator[BrowserPage]:
        context = chromium.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(TIMEOUT)
        watched = BrowserPage(context.new_page(), origin)
        yield watched
        context.close()

    return make


@pytest.fixture
def visitor(watch: Callable[..., Any], site: Site) -> Iterator[BrowserPage]:
    """A page for a new visitor. At the end of the test it must have no errors and no requests to other sites."""
    with watch(site.url) as watched:
        yield watched
    assert watched.faults == []
