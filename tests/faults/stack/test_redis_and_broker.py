"""Redis for throttles and Celery: shared by all hosts, and not required."""

import json
import time
from collections.abc import Callable

import pytest
import redis
from stack import HOSTS, Stack

from tests.support.app_stack import (
    delete_queued_emails,
    get,
    kill_with_children,
    post,
    query_database,
    register,
    sign_in,
    tokens_for,
    wait_for_email,
)
from tests.support.servers import SmtpSink
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack


def guesses(stack: Stack, email: str, times: int) -> list[int]:
    """Guess a password at both hosts in turns."""
    return [sign_in(stack.host_url(HOSTS[turn % 2]), email, f"wrong {turn}").status for turn in range(times)]


def uses(stack: Stack, tokens: dict[str, str]) -> list[int]:
    """The response of each host to an access token."""
    return [get(stack.host_url(host), "/userapi/auth/user/", tokens["access_token"]).status for host in HOSTS]


def refreshes(stack: Stack, tokens: dict[str, str]) -> list[int]:
    """The response of each host to a refresh token."""
    body = {"refresh_token": tokens["refresh_token"]}
    return [post(stack.host_url(host), "/api-token-refresh/", body).status for host in HOSTS]


def ended_session(stack: Stack, email: str) -> dict[str, str]:
    """The tokens of a session that was ended at one host."""
    tokens = tokens_for(stack.url, email)
    assert uses(stack, tokens) == [200, 200]
    assert post(stack.host_url(HOSTS[0]), "/userapi/auth/logout/", token=tokens["access_token"]).status == 200
    return tokens


def test_D09_hosts_throttle_together(stack: Stack) -> None:
    assert guesses(stack, register(stack.url), times=13) == [401] * 10 + [429] * 3


def test_R05_a_session_ended_at_one_host_is_ended_at_the_other(stack: Stack) -> None:
    assert uses(stack, ended_session(stack, register(stack.url))) == [401, 401]


def test_X07_revoked_and_rotated_tokens_stay_rejected_when_redis_loses_its_data(
    stack: Stack, report: Callable[[str], None]
) -> None:
    email = register(stack.url)
    ended, rotated = ended_session(stack, email), tokens_for(stack.url, email)
    successor = post(stack.url, "/api-token-refresh/", {"refresh_token": rotated["refresh_token"]}).body
    assert refreshes(stack, successor)[0] == 200

    redis.Redis.from_url(stack.environment["REDIS_URL"]).flushall()

    assert uses(stack, ended) + refreshes(stack, ended) == [401] * 4
    assert refreshes(stack, rotated) == [401, 401]
    report("Redis flushed: revoked and rotated tokens stay rejected at both hosts")


def test_X06_X09_the_service_works_without_redis_and_emails_stay_queued(
    stack: Stack, mailbox: SmtpSink, report: Callable[[str], None]
) -> None:
    delete_queued_emails(stack)
    known = register(stack.url)
    ended = ended_session(stack, known)
    wait_for_email(mailbox, known)
    worker, beat = stack["worker"].pid, stack["beat"].pid

    kill_with_children(stack["redis"])
    started = time.monotonic()
    waiting = [register(stack.url) for _ in range(5)]
    took = time.monotonic() - started
    rejected = guesses(stack, known, times=60)

    assert took < 5
    assert rejected[:10] == [401] * 10
    assert set(rejected) == {401, 429}
    assert rejected.count(401) <= 10 * 2 * len(HOSTS)  # each of the two workers of each host has its own count
    assert uses(stack, ended) == [401, 401]
    assert (
        len(query_database(stack, "SELECT FROM messages WHERE recipient = ANY(%s) AND sent_at IS NULL", waiting)) == 5
    )

    stack["redis"].start()
    for recipient in waiting:
        wait_for_email(mailbox, recipient)
    report("Redis and broker killed: registrations worked, guesses throttled; 5 emails queued, 5 sent afterwards")
    assert (stack["worker"].pid, stack["beat"].pid) == (worker, beat)
    assert (stack["worker"].exit_code, stack["beat"].exit_code) == (None, None)
    wait_until(lambda: guesses(stack, register(stack.url), times=11) == [401] * 10 + [429])


def task(name: str, body: object, content_type: str = "application/json") -> str:
    """A task message as written by Celery beat."""
    return json.dumps(
        {
            "body": json.dumps(body),
            "content-type": content_type,
            "content-encoding": "utf-8",
            "headers": {"lang": "py", "task": name, "id": "a1", "root_id": "a1", "parent_id": None, "group": None},
            "properties": {
                "delivery_tag": "a1",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": "userapi"},
            },
        }
    )


POISON = (
    "\x00 garbage",
    "[1, 2, 3]",
    json.dumps({"hello": "there"}),
    task("userapi.no_such_task", [[], {}, {}]),
    task("userapi.deliver_mail", [["an argument too many"], {}, {}]),
    task("userapi.deliver_mail", "no arguments at all"),
    task("userapi.deliver_mail", [[], {}, {}], content_type="application/x-python-serialize"),
)


def test_X15_an_unknown_or_unreadable_task_does_not_stop_the_worker(
    stack: Stack, mailbox: SmtpSink, report: Callable[[str], None]
) -> None:
    broker = redis.Redis.from_url(stack.environment["CELERY_BROKER_URL"])
    worker = stack["worker"].pid
    delete_queued_emails(stack)

    broker.lpush("userapi", *POISON)

    wait_for_email(mailbox, register(stack.url))
    assert stack["worker"].exit_code is None
    assert stack["worker"].pid == worker
    assert b"userapi.no_such_task" in stack["worker"].output()
    report(f"{len(POISON)} poisoned tasks: logged and dropped, the worker went on")


def test_K04_the_worker_prunes_old_rows(stack: Stack) -> None:
    kept, gone = register(stack.url), register(stack.url)
    for email in (kept, gone):
        tokens_for(stack.url, email)
    sessions = "FROM login_sessions WHERE user_id = (SELECT id FROM users WHERE email = %s)"
    query_database(
        stack,
        f"WITH old AS (UPDATE login_sessions SET ended_at = now() - interval '8 days' "
        f"WHERE id IN (SELECT id {sessions}) RETURNING id) SELECT * FROM old",
        gone,
    )

    broker = redis.Redis.from_url(stack.environment["CELERY_BROKER_URL"])
    broker.lpush("userapi", task("userapi.prune", [[], {}, {}]))

    wait_until(lambda: query_database(stack, f"SELECT id {sessions}", gone) == [])
    assert len(query_database(stack, f"SELECT id {sessions}", kept)) == 1
