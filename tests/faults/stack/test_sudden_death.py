"""`kill -9` under load: acknowledged writes are stored, nothing is half done, and the service recovers soon."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from stack import HOSTS, Stack

from tests.support.app_stack import (
    Load,
    child_processes,
    complete_users,
    count_incomplete_users,
    delete_queued_emails,
    get,
    kill_with_children,
    query_database,
    read_log,
    register,
    registrations,
    start_postgresql,
    wait_for_email,
)
from tests.support.servers import SmtpSink
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack

Report = Callable[[str], None]


def assert_nothing_is_lost(stack: Stack, load: Load, report: Report, killed: str) -> None:
    """Check that every acknowledged write is in the database."""
    there = complete_users(stack)
    kept = len(load.acknowledged & there)
    report(
        f"{killed}: {len(load.acknowledged)} writes acknowledged, {kept} of them there, "
        f"{count_incomplete_users(stack)} by half; "
        f"answers {dict(sorted(load.statuses.items()))}"
    )
    assert load.acknowledged
    assert load.acknowledged - there == set()
    assert count_incomplete_users(stack) == 0


def test_X01_no_write_is_lost_when_app_workers_are_killed(stack: Stack, report: Report) -> None:
    with registrations(stack.url) as load:
        load.wait_for_more(100)
        for host in HOSTS:
            before = child_processes(stack[host].pid)
            os.kill(before[0], signal.SIGKILL)
            killed_at = time.monotonic()
            wait_until(lambda before=before, host=host: len(set(child_processes(stack[host].pid)) - set(before)) == 1)
            assert load.wait_for_more() < 5
        wait_until(lambda: all(get(stack.host_url(host), "/readyz").status == 200 for host in HOSTS))
        back_after = time.monotonic() - killed_at

    assert_nothing_is_lost(stack, load, report, "2 app workers killed")
    assert back_after < 5
    assert set(load.statuses) <= {201, 502}


def test_X01_no_write_is_lost_when_postgresql_is_killed(stack: Stack, report: Report) -> None:
    with registrations(stack.url) as load:
        load.wait_for_more(100)
        number = kill_with_children(stack["postgresql"])
        load.wait_for_more(responses=5, status=503)
        start_postgresql(stack)
        healed_after = load.wait_for_more()

    assert_nothing_is_lost(
        stack, load, report, f"PostgreSQL killed ({number} processes), back after {healed_after:.1f} s"
    )
    assert healed_after < 10
    assert "database system was not properly shut down" in read_log(stack["postgresql"].log)
    assert set(load.statuses) <= {201, 503}
    assert all(response.says_to_retry_later for _moment, response in load.responses if response.status == 503)


def test_X03_a_restart_of_postgresql_causes_503_for_a_while_and_then_recovers(stack: Stack, report: Report) -> None:
    with registrations(stack.url) as load:
        load.wait_for_more()
        stack["postgresql"].stop()
        load.wait_for_more(responses=5, status=503)
        assert [get(stack.host_url(host), "/healthz").status for host in HOSTS] == [200, 200]
        assert [get(stack.host_url(host), "/readyz").status for host in HOSTS] == [503, 503]
        start_postgresql(stack)
        healed_after = load.wait_for_more()
        for host in HOSTS:
            wait_until(lambda host=host: get(stack.host_url(host), "/readyz").status == 200, timeout=10)

    assert_nothing_is_lost(stack, load, report, f"PostgreSQL restarted, back after {healed_after:.1f} s")
    assert healed_after < 10
    assert set(load.statuses) <= {201, 503}
    assert all(response.says_to_retry_later for _moment, response in load.responses if response.status == 503)


def test_X10_no_email_is_lost_when_the_celery_worker_is_killed_during_delivery(
    stack: Stack, mailbox: SmtpSink, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(sink: SmtpSink, server: SMTP, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(0.05)
        return await handle(sink, server, session, envelope)

    delete_queued_emails(stack)
    handle = SmtpSink.handle_DATA
    monkeypatch.setattr(SmtpSink, "handle_DATA", slowly)
    recipients = {register(stack.url) for _ in range(60)}

    def arrived() -> Counter[str]:
        return Counter(message["To"] for message in list(mailbox.messages) if message["To"] in recipients)

    deaths = 0
    for enough in (5, 25):
        wait_until(lambda enough=enough: len(arrived()) >= enough)
        kill_with_children(stack["worker"])
        deaths += 1
        stack["worker"].start()
    wait_until(lambda: len(arrived()) == len(recipients), timeout=60)

    twice = sum(1 for times in arrived().values() if times == 2)
    report(f"Celery worker killed {deaths} times: {len(recipients)} emails, {len(arrived())} arrived, {twice} twice")
    assert max(arrived().values()) <= 2
    assert twice <= 2 * deaths
    wait_until(
        lambda: query_database(stack, "SELECT count(*) AS due FROM messages WHERE due_at IS NOT NULL")[0]["due"] == 0
    )


def test_X08_emails_stay_queued_while_the_mail_server_is_down(stack: Stack, mailbox: SmtpSink, report: Report) -> None:
    delete_queued_emails(stack)
    mailbox.reply = "451 4.3.0 Try again later"
    try:
        recipient = register(stack.url)
        wait_until(
            lambda: query_database(
                stack, "SELECT FROM messages WHERE recipient = %s AND last_error LIKE '451%%'", recipient
            )
        )
    finally:
        mailbox.reply = None

    wait_for_email(mailbox, recipient)
    report("mail server refused connections: the email stayed queued, and arrived once it was back")
