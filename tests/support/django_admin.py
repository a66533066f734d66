"""Django admin with its stock user admin, on a copy of our users, to compare it with the staff site."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import processes

import config
from tests.support import commands
from tests.support.http_server import SECONDS_TO_START, SECONDS_TO_STOP

PROJECT = config.ROOT / "tests" / "django_admin"


@contextmanager
def run_django_admin(folder: Path, users: Path, password: str) -> Iterator[str]:
    """Copy the users of one of our SQLite files to Django, start Django on a free port, and yield its origin.

    Args:
        folder: for its database and log.
        users: our SQLite file.
        password: the password of every user.
    """
    environment = commands.bare_environment(DATABASE=str(folder / "django.db"), PYTHONPATH=str(PROJECT))
    environment["DJANGO_SETTINGS_MODULE"] = "admin_settings"
    copy = commands.run(sys.executable, str(PROJECT / "copy_users.py"), str(users), password, env=environment)
    assert copy.code == 0, copy.errors
    origin = f"127.0.0.1:{processes.free_port()}"
    # Without DEBUG, it serves its style sheets only with this option.
    command = [sys.executable, "-m", "django", "runserver", "--noreload", "--insecure", origin]
    with (folder / "django.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait_until_ready(f"http://{origin}", process)
        yield f"http://{origin}"
    finally:
        process.terminate()
        process.wait(SECONDS_TO_STOP)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        if processes.status(f"{url}/admin/login/") == 200:
            return
        time.sleep(0.05)
    raise processes.ServiceFailed("Django did not start")
