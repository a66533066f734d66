"""Follows the README in a fresh checkout: the service starts, a first token, a first change on the staff site.

The packages come from the environment of the tests. `make newcomer` installs them, as on a clean machine, and prints
the time of each of the three steps.
"""

import os
import re
import shutil
import signal
import subprocess
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import pytest
import requests
from playwright.sync_api import expect

import config
from tests.support import commands, http_server
from tests.support.commands import bare_environment
from tests.support.documented_commands import read_steps, run_steps, without_volatile_values
from tests.support.factories import PASSWORD, new_user

pytestmark = pytest.mark.slow

#: Set by `make newcomer`: make installs the packages.
INSTALLS = "NEWCOMER_INSTALLS"

SECONDS_TO_INSTALL = 600


@dataclass
class Newcomer:
    """A service just started with `make run`, and the time of its start."""

    server: http_server.Server
    began: float

    def reached(self, what: str) -> None:
        """Print the time since the start; `make newcomer` shows it."""
        print(f"\n{what}: {time.monotonic() - self.began:.0f} s after `make run`")


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("newcomer")
    checkout = fresh_checkout(folder / "userapi")
    if INSTALLS not in os.environ:
        share_packages(checkout)
    port = processes.free_port()
    url, log = f"http://localhost:{port}", folder / "terminal"
    began = time.monotonic()
    with log.open("w") as terminal:
        process = commands.start(
            "make", "run", f"PORT={port}", env=bare_environment(), cwd=checkout,
            stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
        )  # fmt: skip
    try:
        wait_for_packages(process, log)
        http_server.wait_until_ready(url, process, log)
        shown = dict(re.findall(r"^  (Email|Password) +(\S+)$", log.read_text(), re.MULTILINE))
        yield Newcomer(
            http_server.Server(url, process, bare_environment(), log, shown["Email"], shown["Password"]), began
        )
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(http_server.SECONDS_TO_STOP)


def fresh_checkout(folder: Path) -> Path:
    """Copy the files that git knows, in their current state, without generated files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=config.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (config.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(config.ROOT / name, folder / name)
    return folder


def share_packages(checkout: Path) -> None:
    """Create a virtual environment in a checkout that uses the packages of this one, and counts as installed."""
    environment = checkout / ".venv"
    venv.create(environment, symlinks=True)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    (site_packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (environment / "base.stamp").touch()


def wait_for_packages(process: subprocess.Popen[Any], log: Path) -> None:
    """Return when the service is about to start, however long the network takes."""
    deadline = time.monotonic() + SECONDS_TO_INSTALL
    while "Press Ctrl-C to stop it" not in log.read_text() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)


def test_one_command_starts_the_service(newcomer: Newcomer) -> None:
    newcomer.reached("Running")

    for path in ("/readyz", "/userapi/", "/docs/", "/admin/"):
        assert processes.status(newcomer.server.url + path) == 200


@pytest.mark.skipif(shutil.which("curl") is None and not os.environ.get("CI"), reason="the walk needs curl")
def test_the_commands_of_the_README_return_a_first_token(newcomer: Newcomer) -> None:
    steps = read_steps("README.md")
    to_the_token = steps[: next(number for number, step in enumerate(steps, 1) if step.command.startswith("PAIR="))]

    outputs = run_steps(to_the_token, newcomer.server.url, newcomer.server.environment)

    newcomer.reached("First token")
    assert '"access_token":"eyJ' in outputs[-1]
    assert [without_volatile_values(output) for output in outputs] == [
        without_volatile_values(step.output) for step in to_the_token
    ]


def test_the_shown_password_signs_in_to_change_a_user(newcomer: Newcomer, watch: Callable[..., Any]) -> None:
    server = newcomer.server
    account = new_user(email="first.edit@example.com")
    assert requests.post(f"{server.url}/userapi/users/", json=account, timeout=10).status_code == 201

    with watch(server.url) as staff:
        staff.go("/admin/")
        staff.fill(email=server.email, password=server.password)
        staff.press("Sign in")
        staff.page.get_by_role("link", name="Users", exact=True).first.click()
        staff.page.get_by_role("link", name="first.edit@example.com", exact=True).click()
        staff.fill(profile__city="Kinsale")
        staff.press("Save")
        expect(staff.page.locator(".notice").first).to_contain_text("first.edit@example.com was saved.")

    newcomer.reached("First edit by staff")
    credentials = {"email": "first.edit@example.com", "password": PASSWORD}
    signed_in = requests.post(f"{server.url}/userapi/auth/login/", json=credentials, timeout=10).json()
    assert signed_in["user"]["profile"]["city"] == "Kinsale"
