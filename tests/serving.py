"""The real commands and the real server for tests: own database, own keys, nothing of this machine's settings."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import services
from flask import Flask
from processes import status
from settings import SECRET

import config

RUN = (sys.executable, "-m", "userapi.cli.run")
FLASK = (sys.executable, "-m", "flask", "--app", str(config.ROOT / "wsgi.py"))

SECONDS_TO_START = 60
SECONDS_TO_STOP = 20


def bare_environment(**variables: str) -> dict[str, str]:
    """This process's environment without any setting of the service, and with these variables."""
    dropped = {*config.names(), *(f"{name}_FILE" for name in config.names()), "FLASK_APP", "USER_PASSWORD"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "PYTHONPATH": str(config.ROOT), "FLASK_SKIP_DOTENV": "1", **variables}


def bare_tree(folder: Path) -> Path:
    """A copy of what the service is made of, without `instance/` and `.env`."""
    for name in ("userapi", "migrations"):
        shutil.copytree(config.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("config.py", "wsgi.py"):
        shutil.copy(config.ROOT / name, folder / name)
    return folder


def environment(database_url: str, folder: Path, **variables: str) -> dict[str, str]:
    """What tells the service everything: a database, a secret, a folder for keys, cheap hashes."""
    return bare_environment(
        **{
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET,
            "JWT_KEY_DIR": str(folder / "keys"),
            "PASSWORD_HASH_MEMORY": "8",
            "PASSWORD_HASH_TIME": "1",
            **variables,
        }
    )


def environment_of(app: Flask, **variables: str) -> dict[str, str]:
    """What gives a command the database, the secret and the keys of an application."""
    own = {name: app.config[name] for name in ("DATABASE_URL", "SECRET_KEY", "JWT_KEY_DIR")}
    return bare_environment(**own, **variables)


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    output: str
    errors: str

    @property
    def is_one_line(self) -> bool:
        """Whether it failed as it should: exit code 1, and one line on standard error alone."""
        return self.code == 1 and self.errors.count("\n") == 1 and self.errors.endswith("\n") and not self.output


@dataclass
class Server:
    """A running service.

    Attributes:
        url: its origin, as http://127.0.0.1:40123.
        process: the server's parent process.
        environment: what it was started with.
        log: the file of all that it writes.
        email: the first superuser's.
        password: the first superuser's, if this start has made one.
    """

    url: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]
    log: Path
    email: str
    password: str | None

    def stop(self, farewell: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, as Ctrl-C does; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(farewell)
        return self.process.wait(SECONDS_TO_STOP)


@contextmanager
def served(
    folder: Path, environment: dict[str, str], cwd: Path | None = None, command: Sequence[str] = RUN
) -> Iterator[Server]:
    """Start the service as `make run` does, on a free port, and stop it afterwards.

    Args:
        folder: for its log; also where it works, so that it finds no `.env`.
        environment: see above; a HOST or PORT in it is kept.
        cwd: another folder to work in.
        command: another command that starts it.
    """
    port = environment.get("PORT") or str(services.free_port())
    environment = environment | {"PORT": port}
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd or folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C is for the tests, which then stop it
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process, log)
        told = dict(re.findall(r"^  (Email|Password) +(\S+)$", log.read_text(), re.MULTILINE))
        yield Server(url, process, environment, log, told.get("Email", "admin@example.com"), told.get("Password"))
    finally:
        _end(process)


def wait_until_ready(url: str, process: subprocess.Popen[Any], log: Path | None = None) -> None:
    """Return when a service is ready; raise ServiceFailed if it ends first or takes too long."""
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        if status(f"{url}/readyz") == 200:
            return
        time.sleep(0.05)
    told = log.read_text(errors="replace")[-2000:] if log else ""
    raise services.ServiceFailed(f"The service did not start:\n{told}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """See the server and its workers gone, whatever happened."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def start(*command: str, env: dict[str, str], cwd: Path | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start a command as an operator does: `start(*FLASK, "users", "list", env=…)`."""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(
        command, env=env, cwd=cwd or tempfile.gettempdir(), text=True, start_new_session=True, **options
    )


def finish(process: subprocess.Popen[str], stdin: str | None = None) -> Done:
    """What became of a command."""
    try:
        output, errors = process.communicate(stdin, timeout=SECONDS_TO_START)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # a server that was not to start has workers
        raise
    return Done(process.returncode, output, errors)


def run(*command: str, env: dict[str, str], stdin: str = "", cwd: Path | None = None) -> Done:
    """Run a command to its end."""
    return finish(start(*command, env=env, cwd=cwd), stdin)
