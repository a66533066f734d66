"""The whole stack for the tests of `tests/faults/stack/`, load on it, and counts of what was stored."""

import http.client
import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from processes import Server, ServiceFailed, ServiceMissing
from psycopg.rows import dict_row
from stack import HOSTS, Stack

from tests.support import commands, servers
from tests.support.factories import PASSWORD, new_user
from tests.support.running_threads import RunningThreads
from tests.support.waiting import wait_until

JSON = {"Content-Type": "application/json"}

#: How long a client waits for a response, in seconds.
TIMEOUT = 30.0

#: Lines that the tests of a stack print at the end of a run.
REPORT = pytest.StashKey[list[str]]()

#: Cheap hashes and short waits. Load from one IP address stays below the throttles; those on guesses are unchanged.
SETTINGS = {
    "PASSWORD_HASH_MEMORY": "8",
    "PASSWORD_HASH_TIME": "1",
    "PASSWORD_HASH_CONCURRENCY": "7",
    "WORKER_THREADS": "8",
    "MAIL_TIMEOUT": "1",
    "MAIL_DEFAULT_SENDER": "no-reply@example.com",
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "RATELIMIT_REGISTRATION": "1000000 per hour",
    "RATELIMIT_REFRESH_IP": "1000000 per hour",
    "RATELIMIT_REFRESH_SESSION": "1000000 per hour",
    "RATELIMIT_SIGN_IN_IP": "1000000 per hour",
}


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash.get(REPORT, [])
    if lines:
        terminalreporter.section("results of the fault tests")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Adds a line to the output at the end of the run."""
    return request.config.stash.setdefault(REPORT, []).append


@pytest.fixture(scope="session")
def mailbox() -> Iterator[servers.SmtpSink]:
    """The mail server of the stack."""
    with servers.smtp_sink() as sink:
        yield sink


@pytest.fixture(scope="session")
def running_stack(mailbox: servers.SmtpSink) -> Iterator[Stack]:
    """Two app hosts with their database, Redis and mail server."""
    settings = SETTINGS | {"MAIL_SERVER": mailbox.host, "MAIL_PORT": str(mailbox.port)}
    with tempfile.TemporaryDirectory(prefix="st-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        try:
            stack = Stack(folder, settings=settings, base_environment=commands.bare_environment())
        except ServiceMissing as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()


@pytest.fixture
def stack(running_stack: Stack) -> Stack:
    """The stack with all of its servers running, whatever the previous test did to them."""
    for server in running_stack.servers.values():
        if server.process is None or server.exit_code is not None:
            server.start()
    wait_until(lambda: all(get(running_stack.host_url(host), "/readyz").status == 200 for host in HOSTS))
    return running_stack


class Response(NamedTuple):
    """What a client received; status 0 if the connection broke."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def says_to_retry_later(self) -> bool:
        """Whether it says that nothing was done, and when to retry."""
        return self.status == 503 and self.headers.get("Retry-After", "").isdigit()


def call(
    url: str, method: str, path: str, body: str | None = None, token: str | None = None, **headers: str
) -> Response:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
    credentials = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(method, path, body, credentials | headers)
        response = connection.getresponse()
        text = response.read()
        is_json = "json" in response.headers.get("Content-Type", "")
        return Response(response.status, response.headers, json.loads(text) if is_json else text)  # type: ignore[arg-type]
    except (OSError, http.client.HTTPException):
        return Response(0, {}, b"")
    finally:
        connection.close()


def get(url: str, path: str, token: str | None = None) -> Response:
    """A GET."""
    return call(url, "GET", path, token=token)


def post(url: str, path: str, body: Any = None, token: str | None = None) -> Response:
    """A POST of JSON."""
    return call(url, "POST", path, json.dumps({} if body is None else body), token, **JSON)


def register(url: str, **overrides: Any) -> str:
    """Register an account. Returns its email address."""
    wanted = new_user(**overrides)
    response = post(url, "/userapi/users/", wanted)
    assert response.status == 201, response
    return str(wanted["email"])


def sign_in(url: str, email: str, password: str = PASSWORD) -> Response:
    """Request tokens."""
    return post(url, "/api-token-auth/", {"email": email, "password": password})


def tokens_for(url: str, email: str) -> dict[str, Any]:
    """The tokens of a new session."""
    response = sign_in(url, email)
    assert response.status == 200, response
    tokens: dict[str, Any] = response.body
    return tokens


class Load(RunningThreads):
    """Clients that send requests until the block ends, each as soon as it has its response.

    Args:
        send: sends one request as the client with this number; returns the response, and what it wrote, if anything.
        clients: the number of clients.

    Attributes:
        responses: every response, with the time when it came.
        acknowledged: what the service confirmed as written.
    """

    def __init__(self, send: Callable[[int], tuple[Response, str | None]], clients: int = 8) -> None:
        self.responses: list[tuple[float, Response]] = []
        self.acknowledged: set[str] = set()
        self._send = send
        super().__init__(self._run, range(clients))

    def _run(self, number: int) -> None:
        while not self.over.is_set():
            response, written = self._send(number)
            self.responses.append((time.monotonic(), response))
            if written is not None:
                self.acknowledged.add(written)
            if response.status not in (200, 201):
                time.sleep(0.05)

    @property
    def statuses(self) -> Counter[int]:
        """The number of responses by status."""
        return Counter(response.status for _moment, response in self.responses)

    def wait_for_more(self, responses: int = 20, status: int = 201, timeout: float = TIMEOUT) -> float:
        """Wait for so many more responses with a status. Returns the seconds it took."""
        started = time.monotonic()
        enough = self.statuses[status] + responses
        wait_until(lambda: self.statuses[status] >= enough, timeout)
        return time.monotonic() - started


def registrations(url: str, clients: int = 8) -> Load:
    """Load of registrations: `acknowledged` are their email addresses."""
    numbers = itertools.count()
    mark = f"{time.monotonic_ns():x}"

    def send(_number: int) -> tuple[Response, str | None]:
        wanted = new_user(email=f"load-{mark}-{next(numbers)}@example.com")
        response = post(url, "/userapi/users/", wanted)
        return response, str(wanted["email"]) if response.status == 201 else None

    return Load(send, clients)


def complete_users(stack: Stack) -> set[str]:
    """The email addresses of all users who have both a profile and an email."""
    return {
        row["email"]
        for row in query_database(
            stack,
            "SELECT email FROM users WHERE EXISTS (SELECT FROM user_profiles WHERE user_id = users.id)"
            " AND EXISTS (SELECT FROM messages WHERE recipient = users.email)",
        )
    }


def count_incomplete_users(stack: Stack) -> int:
    """The number of new users without a profile or email, and of emails without a user."""
    (row,) = query_database(
        stack,
        "SELECT (SELECT count(*) FROM users WHERE email LIKE 'load-%' AND NOT ("
        "EXISTS (SELECT FROM user_profiles WHERE user_id = users.id)"
        " AND EXISTS (SELECT FROM messages WHERE recipient = users.email)))"
        " + (SELECT count(*) FROM messages WHERE recipient LIKE 'load-%'"
        " AND NOT EXISTS (SELECT FROM users WHERE email = recipient)) AS halves",
    )
    return int(row["halves"])


def query_database(stack: Stack, statement: str, *values: Any) -> list[dict[str, Any]]:
    """Query the database directly."""
    with psycopg.connect(stack.database_url("postgres"), row_factory=dict_row) as connection:
        return connection.execute(statement, values or None).fetchall()  # type: ignore[arg-type]


def delete_queued_emails(stack: Stack) -> None:
    """Delete the emails that load has queued, so that those of a test are next."""
    query_database(
        stack, "WITH gone AS (DELETE FROM messages WHERE due_at IS NOT NULL RETURNING id) SELECT count(*) FROM gone"
    )


def child_processes(pid: int) -> list[int]:
    """The process ids of the children of a process."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def kill_with_children(server: Server) -> int:
    """Kill a server and its children together, as a power cut does. Returns the number of processes."""
    victims = [server.pid, *child_processes(server.pid)]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    server.kill()
    return len(victims)


def start_postgresql(stack: Stack) -> None:
    """Start PostgreSQL after the last process of the previous run has ended."""
    for _attempt in range(20):
        try:
            stack["postgresql"].start()
        except ServiceFailed:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("PostgreSQL does not start again")


def wait_for_email(mailbox: servers.SmtpSink, recipient: str) -> None:
    """Wait until an email to this recipient has arrived."""
    wait_until(lambda: any(message["To"] == recipient for message in list(mailbox.messages)))


def memory_in_mb(server: Server) -> float:
    """The resident memory of a server and its children, in MB."""
    pids = ",".join(map(str, [server.pid, *child_processes(server.pid)]))
    rss = subprocess.run(["ps", "-o", "rss=", "-p", pids], capture_output=True, text=True, check=True).stdout
    return sum(map(int, rss.split())) / 1024


def read_log(path: Path) -> str:
    """The log of a server."""
    return path.read_text(errors="replace")
