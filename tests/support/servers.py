"""Temporary servers for tests: PostgreSQL, Redis and SMTP, and where the browser is."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern_policy
from pathlib import Path
from typing import Any

import psycopg
import redis
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from processes import ServiceFailed, ServiceMissing, account_for, free_port, postgresql_programs, redis_program

SECONDS_TO_START = 30
SECONDS_TO_STOP = 15


# --- PostgreSQL -------------------------------------------------------------------------------------------


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a temporary PostgreSQL on a Unix socket and yield its SQLAlchemy URL."""
    with _temporary_folder("pg-") as folder:
        binaries = postgresql_programs(folder)
        account = account_for(folder)
        surroundings: dict[str, Any] = {
            "cwd": folder,
            "env": {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"},
            **account,
        }
        data = folder / "data"
        subprocess.run(
            [
                binaries / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-sync",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            **surroundings,
        )
        command = [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
        for setting in ("fsync=off", "synchronous_commit=off", "full_page_writes=off"):
            command += ["-c", setting]
        # SIGQUIT stops it immediately, without the usual cleanup, because all its files are deleted anyway.
        with _running(command, folder, signal.SIGQUIT, **surroundings) as process:
            _wait_until(lambda: _is_postgresql_ready(folder), process, folder)
            yield f"postgresql+psycopg://postgres@/postgres?host={folder}"


def _is_postgresql_ready(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


# --- Redis ------------------------------------------------------------------------------------------------


@contextmanager
def redis_server(port: int | None = None) -> Iterator[str]:
    """Run a temporary Redis that keeps nothing on disk and yield its URL; with a port, one is started again."""
    program = redis_program()
    port = port or free_port()
    with _temporary_folder("redis-") as folder:
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        command += ["--save", "", "--appendonly", "no"]
        with _running(command, folder, signal.SIGTERM) as process:
            _wait_until(lambda: _is_redis_ready(port, process.pid), process, folder)
            yield f"redis://127.0.0.1:{port}/0"


def _is_redis_ready(port: int, process_id: int) -> bool:
    """Whether the Redis on this port is this one, not another that took the port first."""
    with redis.Redis(port=port) as client:
        try:
            return bool(client.info("server")["process_id"] == process_id)
        except redis.ConnectionError:
            return False


# --- SMTP -------------------------------------------------------------------------------------------------


@dataclass
class SmtpSink:
    """A mail server that keeps what it accepts and, if a test says so, fails.

    Attributes:
        messages: the accepted emails, oldest first.
        envelopes: sender and recipients of each of `messages`, as SMTP named them.
        rejected_recipients: email addresses that get 550.
        reply: the response to every email instead of accepting it, such as "451 4.3.0 Try again later".
        hanging: accept emails but send no reply until it is False again.
    """

    host: str
    port: int
    messages: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    rejected_recipients: set[str] = field(default_factory=set)
    reply: str | None = None
    hanging: bool = False

    # The names and arguments below are aiosmtpd's.

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.rejected_recipients:
            return "550 5.1.1 No such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        while self.hanging:
            await asyncio.sleep(0.02)
        if self.reply is not None:
            return self.reply
        content = envelope.original_content or b""
        self.messages.append(message_from_bytes(content, policy=modern_policy))
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        return "250 OK"


@contextmanager
def smtp_sink(kind: type[SmtpSink] = SmtpSink, port: int | None = None, **options: Any) -> Iterator[SmtpSink]:
    """Run a real SMTP server in this process and yield it.

    Args:
        kind: how it behaves.
        port: a free one when absent.
        options: aiosmtpd's, as `tls_context` for STARTTLS or `ssl_context` for TLS from the start.
    """
    sink = kind("127.0.0.1", port or free_port())
    controller = Controller(sink, hostname=sink.host, port=sink.port, **options)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()


# --- The browser ------------------------------------------------------------------------------------------

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def chromium_path() -> str | None:
    """Where an installed Chromium or Chrome is, or None; in CI its absence is an error."""
    found = [path for name in CHROMIUM_NAMES if (path := shutil.which(name))]
    found += [path for path in CHROMIUM_APPLICATIONS if Path(path).exists()]
    if not found and os.environ.get("CI"):
        raise ServiceMissing("no browser: install chromium or Google Chrome")
    return found[0] if found else None


# --- What they share --------------------------------------------------------------------------------------


@contextmanager
def _temporary_folder(prefix: str) -> Iterator[Path]:
    """Make a folder with a short name, since a Unix socket's path may have no more than about 100 bytes."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()


@contextmanager
def _running(
    command: list[Any], folder: Path, stop_signal: signal.Signals, **surroundings: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that logs to `folder`, and make sure that it has ended afterwards."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the tests, which then stop it
            **surroundings,
        )
    try:
        yield process
    finally:
        process.send_signal(stop_signal)
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    """Return when `ready`; raise ServiceFailed if the process ends first or takes too long."""
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.02)
    log = (folder / "log").read_text(errors="replace")
    raise ServiceFailed(f"The server did not start:\n{log[-2000:]}")
