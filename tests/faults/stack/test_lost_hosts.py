"""The primary dies, freezes, is replaced or is cut off: no acknowledged write is lost, and only one node is primary.

All tests use one stack, which ends with this file.
"""

import os
import re
import signal
import time
from collections.abc import Callable

import pytest
import redis
from high_availability import HighlyAvailableStack
from stack import HOSTS

from tests.support import network_namespaces
from tests.support.app_stack import (
    delete_queued_emails,
    get,
    kill_with_children,
    post,
    register,
    sign_in,
    tokens_for,
    wait_for_email,
)
from tests.support.available_stack import (
    Outage,
    fill_disk,
    is_complete,
    is_in_recovery,
    persistent_registrations,
    processes_of,
    send_signal,
)
from tests.support.documented_commands import read_steps, run_steps
from tests.support.servers import SmtpSink
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack

Report = Callable[[str], None]

#: In CI a missing program is a failure, but what the kernel does not permit is not.
reason = network_namespaces.reason_against()
needs_namespaces = pytest.mark.skipif(
    reason == network_namespaces.NOT_PERMITTED or bool(reason and not os.environ.get("CI")), reason=str(reason)
)


def test_no_write_is_lost_when_the_primary_and_its_host_are_killed(
    available_stack: HighlyAvailableStack, report: Report
) -> None:
    stack = available_stack
    with Outage(stack, report, "host of the primary killed") as outage:
        etcd = stack[stack.nodes[outage.primary].etcd]
        send_signal([*processes_of(stack, outage.primary), etcd.pid], signal.SIGKILL)
        outage.wait_for_new_primary()
    outage.check()


def test_a_frozen_primary_that_comes_back_accepts_no_writes_and_shows_no_ended_session(
    available_stack: HighlyAvailableStack, report: Report
) -> None:
    stack = available_stack
    token = tokens_for(stack.url, register(stack.url))["access_token"]
    with Outage(stack, report, "primary frozen, and back after a failover") as outage:
        frozen = processes_of(stack, outage.primary)
        send_signal(frozen, signal.SIGSTOP)
        try:
            outage.wait_for_new_primary()
            assert post(stack.url, "/userapi/auth/logout/", token=token).status == 200
        finally:
            send_signal(frozen, signal.SIGCONT)
        statuses = set()

        def is_standby() -> bool:
            statuses.add(get(stack.url, "/userapi/auth/user/", token).status)
            return is_in_recovery(stack, outage.primary)

        wait_until(is_standby, timeout=60)
    outage.check()
    assert statuses == {401}


def test_the_runbook_prints_what_it_shows_and_its_switchover_loses_no_write(
    available_stack: HighlyAvailableStack, report: Report
) -> None:
    stack = available_stack
    if stack.primary() == "node-3":  # the runbook gives that node a new copy
        stack.patronictl("switchover", "--force")
        wait_until(lambda: is_complete(stack), timeout=60, pause=0.5)
    *preparing, switchover = read_steps("docs/operations.md")
    environment = os.environ | stack.patronictl_environment()

    outputs = run_steps(preparing, stack.url, environment)
    wait_until(lambda: is_complete(stack), timeout=60, pause=0.5)
    with Outage(stack, report, "switchover") as outage:
        outputs += run_steps([switchover], stack.url, environment)
        outage.wait_for_new_primary()

    outage.check()
    for step, output in zip([*preparing, switchover], outputs, strict=True):
        assert normalize(output) == normalize(step.output), step.command


def normalize(output: str) -> list[str]:
    """The lines of a command of Patroni in any order, without what differs between clusters."""
    output = re.sub(r"node-\d", "node", re.sub(r"[\d.]+:\d+", "host", output))
    output = re.sub(r"\d{4}-\d\d-\d\d [\d:.]+", "time", output)
    return sorted(re.sub(r"-+", "-", re.sub(r"\d+|[ +]+", " ", line)) for line in output.splitlines())


@needs_namespaces
def test_a_primary_that_is_cut_off_from_the_other_nodes_but_not_from_clients_accepts_no_writes(
    available_stack: HighlyAvailableStack, report: Report
) -> None:
    stack = available_stack
    outage = Outage(stack, report, "primary cut off from the other nodes")
    with outage:
        with network_namespaces.cut(stack.nodes[outage.primary], list(stack.nodes.values())):
            outage.wait_for_new_primary()
        wait_until(lambda: is_complete(stack), timeout=60, pause=0.5)  # it must not get its role back
    outage.check()


@needs_namespaces
def test_a_primary_with_a_full_disk_hands_over(available_stack: HighlyAvailableStack, report: Report) -> None:
    stack = available_stack
    with Outage(stack, report, "disk of the primary full") as outage:
        filler = stack.folder / outage.primary / "filler"
        try:
            fill_disk(filler)
            outage.wait_for_new_primary()
        finally:
            filler.unlink()
    outage.check()


def role(stack: HighlyAvailableStack, name: str) -> str | None:
    """The role of a Redis server by its own account."""
    try:
        with redis.Redis(port=stack.ports[name]) as client:
            return str(client.info("replication")["role"])
    except redis.RedisError:
        return None


def guess_passwords(stack: HighlyAvailableStack) -> list[int]:
    """Guess a new user's password at both hosts in turns."""
    email = register(stack.url)
    return [sign_in(stack.host_url(HOSTS[turn % 2]), email, f"wrong {turn}").status for turn in range(12)]


def test_no_request_fails_while_a_replica_takes_over_from_redis(
    available_stack: HighlyAvailableStack, mailbox: SmtpSink, report: Callable[[str], None]
) -> None:
    stack = available_stack
    delete_queued_emails(stack)
    names = ("redis-1", "redis-2")
    (killed,) = (name for name in names if role(stack, name) == "master")
    (replica,) = set(names) - {killed}

    with persistent_registrations(stack.url) as load:
        load.wait_for_more()
        kill_with_children(stack[killed])
        killed_at = time.monotonic()
        wait_until(lambda: role(stack, replica) == "master", timeout=60)
        after = time.monotonic() - killed_at
        load.wait_for_more()
    delete_queued_emails(stack)  # those of the load

    wait_until(lambda: guess_passwords(stack) == [401] * 10 + [429] * 2, timeout=60)
    recipient = register(stack.url)
    wait_for_email(mailbox, recipient)
    report(
        f"Redis killed: {len(load.acknowledged)} writes acknowledged, {len(load.responses) - len(load.acknowledged)} "
        f"requests failed; the replica took over after {after:.1f} s"
    )
    assert set(load.statuses) == {201}
    stack[killed].start()
    wait_until(lambda: role(stack, killed) == "slave", timeout=60)
