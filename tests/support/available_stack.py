"""The highly available stack for the tests of failovers, load during a fault, and what must hold after it."""

import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
import pytest
from high_availability import HighlyAvailableStack, Patroni
from processes import ServiceMissing, status
from stack import HOSTS

from tests.support import commands, network_namespaces, servers
from tests.support.app_stack import (
    JSON,
    SETTINGS,
    Load,
    Response,
    call,
    child_processes,
    complete_users,
    get,
    query_database,
    sign_in,
)
from tests.support.direct_writers import Writers
from tests.support.factories import new_user
from tests.support.waiting import wait_until

#: In seconds; what operators are promised in docs/operations.md.
LONGEST_INTERRUPTION = 30

#: Of one database node; 100 MiB of it must be free.
DISK_MIB = 600

#: Few clients: a failover is to be found, not an overload.
CLIENTS = 4


@pytest.fixture(scope="module")
def running_available_stack(mailbox: servers.SmtpSink) -> Iterator[HighlyAvailableStack]:
    """Three database nodes, in network namespaces if this machine permits them, and all that is in front of them."""
    settings = SETTINGS | {"MAIL_SERVER": mailbox.host, "MAIL_PORT": str(mailbox.port)}
    with ExitStack() as closing:
        name = closing.enter_context(tempfile.TemporaryDirectory(prefix="ha-", ignore_cleanup_errors=True))
        nodes = [] if network_namespaces.reason_against() else closing.enter_context(network_namespaces.hosts())
        if nodes:  # root can give each node a disk
            for node in nodes:
                closing.enter_context(small_disk(Path(name) / node.name))
        try:
            stack = HighlyAvailableStack(
                Path(name).resolve(), nodes=nodes, settings=settings, base_environment=commands.bare_environment()
            )
        except ServiceMissing as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
        closing.callback(stack.stop)
        stack.start()
        yield stack


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk in memory that can be filled."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=700", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def available_stack(running_available_stack: HighlyAvailableStack) -> HighlyAvailableStack:
    """The stack with every server running and every node in its cluster, whatever the previous test did."""
    stack = running_available_stack
    wait_until(lambda: is_complete(stack), timeout=60, pause=0.2)
    return stack


def is_complete(stack: HighlyAvailableStack) -> bool:
    """Start what has ended; return whether all nodes have their roles and the same history."""
    for server in stack.servers.values():
        if server.process is None or server.exit_code is not None:
            server.start()
    members = stack.cluster().values()
    roles = sorted(member["role"] for member in members)
    return (
        roles == ["leader", "replica", "sync_standby"]
        and {member["state"] for member in members} <= {"running", "streaming"}
        and len({member.get("timeline") for member in members}) == 1
        and all(status(f"{stack.host_url(host)}/readyz") == 200 for host in HOSTS)
    )


def is_in_recovery(stack: HighlyAvailableStack, node: str) -> bool:
    """Whether PostgreSQL on a node runs as a standby."""
    try:
        with psycopg.connect(stack.node_url(node, "postgres") + "?connect_timeout=2") as connection:
            (found,) = connection.execute("SELECT pg_is_in_recovery()").fetchone() or (False,)
            return bool(found)
    except psycopg.OperationalError:
        return False


def fill_disk(filler: Path) -> None:
    """Write a file until no space is left."""
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**20))


def timeline(stack: HighlyAvailableStack) -> int:
    """The number of the history that the primary writes; each promotion starts the next one."""
    (row,) = query_database(stack, "SELECT pg_walfile_name(pg_current_wal_lsn()) AS name")
    return int(row["name"][:8], 16)


def processes_of(stack: HighlyAvailableStack, node: str) -> list[int]:
    """The process ids of Patroni and PostgreSQL on a node."""
    server = stack[node]
    assert isinstance(server, Patroni)
    postmaster = server.postmaster()
    own = [postmaster, *child_processes(postmaster)] if postmaster else []
    return [server.pid, *own]


def send_signal(pids: list[int], kind: signal.Signals) -> None:
    """Send a signal to processes, some of which may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, kind)


def persistent_registrations(
    url: str, clients: int = CLIENTS, look_up: Callable[[str], object] = lambda email: None
) -> Load:
    """Load of registrations, which clients send again with the same `Idempotency-Key` until they get a response.

    `acknowledged` are their email addresses. The first client calls `look_up` with each of its own.
    """
    numbers = itertools.count()
    mark = f"{time.monotonic_ns():x}"
    pending: dict[int, str] = {}

    def send(number: int) -> tuple[Response, str | None]:
        email = pending.pop(number, None) or f"load-{mark}-{next(numbers)}@example.com"
        headers = JSON | {"Idempotency-Key": email}
        response = call(url, "POST", "/userapi/users/", json.dumps(new_user(email=email)), **headers)
        if response.status in (0, 503):
            pending[number] = email
        if response.status == 201 and number == 0:
            look_up(email)
        return response, email if response.status == 201 else None

    return Load(send, clients)


def access_token_of_superuser(stack: HighlyAvailableStack) -> str:
    """An access token of the superuser."""
    email, password = stack.superuser()
    response = sign_in(stack.url, email, password)
    assert response.status == 200, response
    return str(response.body["access_token"])


class Outage:
    """Load during a fault, and the checks that hold for every fault."""

    def __init__(self, stack: HighlyAvailableStack, report: Callable[[str], None], fault: str) -> None:
        self.stack, self.report, self.fault = stack, report, fault
        self.load = persistent_registrations(stack.url, look_up=self._look_up)
        self.token = access_token_of_superuser(stack)
        self.looked_up: list[bool] = []
        self.writers = Writers(stack)
        self.timeline = timeline(stack)
        self.primary = str(stack.primary())

    def __enter__(self) -> Self:
        self.writers.__enter__()
        self.load.__enter__()
        self.load.wait_for_more(20)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.load.__exit__(kind, error, trace)
        self.writers.__exit__(kind, error, trace)

    def wait_for_new_primary(self) -> str:
        """Wait until another node is the primary and the service works again; return its name."""
        wait_until(lambda: self.stack.primary() not in (None, self.primary), timeout=60, pause=0.1)
        self.load.wait_for_more(20, timeout=60)
        return str(self.stack.primary())

    def _look_up(self, email: str) -> None:
        """Search for a user that was just registered, in the list that a standby may serve."""
        response = get(self.stack.url, f"/userapi/users/?search={quote(email)}", self.token)
        if response.status == 200:
            self.looked_up.append(email in [user["email"] for user in response.body["results"]])

    @property
    def seconds_without_service(self) -> float:
        """The longest time without a successful response."""
        moments = sorted(moment for moment, response in self.load.responses if response.status == 201)
        return max(later - earlier for earlier, later in itertools.pairwise(moments))

    def check(self, promotions: int = 1) -> None:
        """Check and report what must hold when the load has ended.

        Args:
            promotions: the number of times that another node became the primary.
        """
        there = complete_users(self.stack)
        kept = len(self.load.acknowledged & there)
        primaries = self.writers.assert_one_primary_at_a_time()
        (counts,) = query_database(
            self.stack, "SELECT count(*) AS users, count(DISTINCT lower(email)) AS addresses FROM users"
        )
        self.report(
            f"{self.fault}: {len(self.load.acknowledged)} writes acknowledged, {kept} there; "
            f"{len(self.writers.writes)} rows acknowledged by {' then '.join(primaries)}, "
            f"{self.writers.count_lost()} lost; "
            f"{self.looked_up.count(False)} of {len(self.looked_up)} not in a list; "
            f"{self.seconds_without_service:.1f} s without service; "
            f"responses {dict(sorted(self.load.statuses.items()))}"
        )
        assert self.load.acknowledged - there == set()
        assert self.writers.count_lost() == 0
        assert all(self.looked_up)
        assert self.looked_up
        assert counts["users"] == counts["addresses"]
        assert self.seconds_without_service < LONGEST_INTERRUPTION
        failed = [response for _moment, response in self.load.responses if response.status != 201]
        assert [response for response in failed if not response.says_to_retry_later] == []
        assert len(primaries) == promotions + 1
        assert timeline(self.stack) == self.timeline + promotions
