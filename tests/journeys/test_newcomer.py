"""A newcomer with nothing but the README: a fresh checkout running, a first token, a first edit by staff.

The packages are lent by the environment of the tests. `make newcomer` has them installed, as on a clean machine, and
says how long each of the three took.
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

#: Set by `make newcomer`: make installs the packages.
INSTALLS = "NEWCOMER_INSTALLS"

SECONDS_TO_INSTALL = 600


@dataclass
class Newcomer:
    """Somebody who has just typed `make run`, and when that was."""

    server: http_server.Server
    began: float

    def reached(self, what: str) -> None:
        """Say how long it took so far; `make newcomer` shows it."""
        print(f"\n{what}: {time.monotonic() - self.began:.0f} s after `make run`")


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("newcomer")
    checkout = fresh_checkout(folder / "userapi")
    if INSTALLS not in os.environ:
        lend_packages(checkout)
    port = processes.free_port()
    url, log = f"http://127.0.0.1:{port}", folder / "terminal"
    began = time.monotonic()
    with log.open("w") as terminal:
        process = commands.start(
            "make", "run", f"PORT={port}", env=bare_environment(), cwd=checkout,
            stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal,
        )  # fmt: skip
    try:
        wait_for_packages(process, log)
        http_server.wait_until_ready(url, process, log)
        told = dict(re.findall(r"^  (Email|Password) +(\S+)$", log.read_text(), re.MULTILINE))
        yield Newcomer(
            http_server.Server(url, process, bare_environment(), log, told["Email"], told["Password"]), began
        )
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(http_server.SECONDS_TO_STOP)


def fresh_checkout(folder: Path) -> Path:
    """What git would bring to another machine: the work tree as it stands, and nothing that was made in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=config.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (config.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(config.ROOT / name, folder / name)
    return folder


def lend_packages(checkout: Path) -> None:
    """Give a checkout an environment of its own that finds the packages of ours, and holds them for installed."""
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


def test_one_command_and_the_service_runs(newcomer: Newcomer) -> None:
    newcomer.reached("Running")

    for address in ("/readyz", "/userapi/", "/docs/", "/admin/"):
        assert processes.status(newcomer.server.url + address) == 200


@pytest.mark.skipif(shutil.which("curl") is None and not os.environ.get("CI"), reason="the walk needs curl")
def test_the_walk_leads_to_a_first_token(newcomer: Newcomer) -> None:
    told = read_steps("README.md")
    to_the_token = told[: next(number for number, step in enumerate(told, 1) if step.command.startswith("PAIR="))]

    answers = run_steps(to_the_token, newcomer.server.url, newcomer.server.environment)

    newcomer.reached("First token")
    assert '"access_token":"eyJ' in answers[-1]
    assert [without_volatile_values(answer) for answer in answers] == [
        without_volatile_values(step.answer) for step in to_the_token
    ]


def test_the_shown_password_leads_to_a_first_edit(newcomer: Newcomer, watch: Callable[..., Any]) -> None:
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
