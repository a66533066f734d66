"""What happens while an event is being sent: senders are killed, webhooks and users are deleted or changed."""

import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.support.email_delivery import MoveClock
from tests.support.factories import make_user
from tests.support.race import run_simultaneously
from tests.support.raw_server import Respond, respond_with
from tests.support.sql import fetch_rows
from tests.support.webhook_receivers import ACCEPTED, act, add_webhook, received, receiver, responding
from userapi.audit import audit_log
from userapi.audit import queries as audit_queries
from userapi.core.db import db
from userapi.users import accounts
from userapi.users import queries as user_queries
from userapi.webhooks import delivery, endpoints, payload, replays

FAILED = "500 Internal Server Error"


class Killed(BaseException):
    """Stands for the end of the process: nothing handles it."""


def change(user_id: int = 7) -> int:
    """Record and commit an event about a user."""
    return act(audit_log.record, "user.changed", "user", user_id)


def states(app: Flask) -> list[Any]:
    """State, attempts and last error of each delivery."""
    return [
        tuple(row) for row in fetch_rows(app, "SELECT state, attempts, last_error FROM webhook_deliveries ORDER BY id")
    ]


def send_and_die() -> None:
    """Send what is due, and be killed before the outcome is written."""

    def die(*_arguments: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delivery, "_settle_success", die)
        with pytest.raises(Killed):
            delivery.deliver_next()
    db.session.rollback()


def while_it_responds(app: Flask, do: Callable[[], object], response: Respond) -> Respond:
    """A receiver during whose first response something else happens and is committed."""
    left = [do]

    def respond(connection: socket.socket) -> None:
        if left:
            with app.app_context():
                left.pop()()
                db.session.commit()
        response(connection)

    return respond


@pytest.mark.both
def test_the_event_of_a_killed_sender_is_sent_again_with_its_id_when_the_lease_ends(
    sender: Flask, later: MoveClock
) -> None:
    with receiver() as server:
        add_webhook(server)
        change(), change()
        send_and_die()
        later(timedelta(seconds=sender.config["WEBHOOK_TIMEOUT"]))
        assert delivery.deliver_due() == 0
        later(delivery.LEASE_MARGIN + timedelta(seconds=1))
        assert delivery.deliver_due() == 2

    first, again, second = received(server)
    assert first.headers["webhook-id"] == again.headers["webhook-id"] != second.headers["webhook-id"]
    assert states(sender) == [("delivered", 2, None), ("delivered", 1, None)]


def test_an_event_that_kills_each_sender_fails_and_those_after_it_are_sent(sender: Flask, later: MoveClock) -> None:
    sender.config["WEBHOOK_MAX_ATTEMPTS"] = 2
    with receiver() as server:
        add_webhook(server)
        change(), change()
        for _number in range(2):
            send_and_die()
            later(timedelta(minutes=2))
        assert delivery.deliver_due() == 2

    assert len(server.requests) == 3
    assert states(sender) == [("failed", 3, "interrupted"), ("delivered", 1, None)]


@pytest.mark.both
def test_two_senders_send_one_event_at_a_time_to_a_webhook(sender: Flask) -> None:
    under_way, most = [0], [0]
    lock = threading.Lock()

    def respond(connection: socket.socket) -> None:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        threading.Event().wait(0.05)
        with lock:
            under_way[0] -= 1
        respond_with(b"", ACCEPTED)(connection)

    with receiver(respond) as server:
        add_webhook(server)
        changes = [change() for _number in range(6)]
        run_simultaneously([lambda: delivery.run_sender(sender, lambda: False)] * 3)
        delivery.deliver_due()

    assert most == [1]
    assert [request.sequence for request in received(server)] == changes


@pytest.mark.both
def test_a_webhook_that_is_deleted_while_an_event_is_sent_gets_nothing_more(sender: Flask) -> None:
    webhook: list[Any] = []
    with receiver(while_it_responds(sender, lambda: endpoints.delete(webhook[0]), respond_with(b"", FAILED))) as server:
        webhook.append(add_webhook(server))
        change(), change()

        assert delivery.deliver_due() == 1

    assert len(server.requests) == 1
    assert fetch_rows(sender, "SELECT 1 FROM webhook_attempts") == []


@pytest.mark.both
def test_a_webhook_that_is_disabled_while_an_event_is_sent_gets_no_other(sender: Flask) -> None:
    webhook: list[Any] = []
    with receiver(
        while_it_responds(sender, lambda: endpoints.disable(webhook[0]), respond_with(b"", ACCEPTED))
    ) as server:
        webhook.append(add_webhook(server))
        change(), change()

        assert delivery.deliver_due() == 1

    assert [state for state, *_more in states(sender)] == ["delivered", "waiting"]


@pytest.mark.both
def test_a_webhook_that_staff_enable_while_its_last_attempt_fails_stays_enabled(
    sender: Flask, later: MoveClock
) -> None:
    webhook: list[Any] = []

    def fix() -> None:
        endpoints.disable(webhook[0])
        endpoints.enable(webhook[0])

    responses = iter([respond_with(b"", FAILED), while_it_responds(sender, fix, respond_with(b"", FAILED))])
    with receiver(lambda connection: next(responses)(connection)) as server:
        webhook.append(add_webhook(server))
        change()
        delivery.deliver_due()
        later(delivery.MAX_FAILING + timedelta(minutes=1))
        delivery.deliver_due()

    assert len(server.requests) == 2
    assert fetch_rows(sender, "SELECT disabled_reason FROM webhook_endpoints") == [(None,)]


@pytest.mark.both
def test_what_a_receiver_says_about_a_user_who_was_just_deleted_is_not_kept(sender: Flask) -> None:
    user_id = make_user(sender, first_name="Zephyrine")

    def delete() -> None:
        accounts.delete(user_queries.lock_user(user_id))

    with receiver(while_it_responds(sender, delete, respond_with(b"Unknown customer Zephyrine"))) as server:
        add_webhook(server, ["user.changed"])
        change(user_id)
        delivery.deliver_due()

    assert fetch_rows(sender, "SELECT excerpt FROM webhook_attempts") == [("",)]


def test_an_event_that_was_deleted_is_not_sent_and_does_not_count_against_the_receiver(sender: Flask) -> None:
    with receiver() as server:
        webhook = add_webhook(server)
        change()
        audit_queries.delete_before(delivery.clock.now(), 100)
        db.session.commit()
        delivery.deliver_due()

    assert server.requests == []
    assert states(sender) == [("failed", 1, "event_deleted")]
    row = fetch_rows(sender, "SELECT attempts, failing_since, claimed_until FROM webhook_endpoints")
    assert (len(row), tuple(row[0])) == (1, (0, None, None)), webhook


def test_an_error_of_the_service_delays_an_event_and_no_other(sender: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    build = payload.build_body

    def fail_once(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(payload, "build_body", build)
        raise ZeroDivisionError

    monkeypatch.setattr(payload, "build_body", fail_once)
    with receiver() as server:
        add_webhook(server)
        change(), change()
        delivery.deliver_due()

    assert len(server.requests) == 1
    assert states(sender) == [("waiting", 1, "internal_error"), ("delivered", 1, None)]


def test_a_receiver_that_does_not_respond_in_time_gets_only_the_oldest_event(sender: Flask) -> None:
    sender.config["WEBHOOK_TIMEOUT"] = 1
    released = threading.Event()
    with receiver(lambda _connection: released.wait(20) and None) as server:
        add_webhook(server)
        change(), change()
        assert delivery.deliver_due() == 1
        released.set()

    assert states(sender) == [("waiting", 1, "timeout"), ("waiting", 0, None)]


def test_a_receiver_can_ask_for_a_pause_of_a_day_at_most(sender: Flask, later: MoveClock) -> None:
    with receiver(responding(f"{FAILED}\r\nRetry-After: 9999999", ACCEPTED)) as server:
        add_webhook(server)
        change()
        delivery.deliver_due()
        later(timedelta(hours=23, minutes=59))
        assert delivery.deliver_due() == 0
        later(timedelta(minutes=2))
        assert delivery.deliver_due() == 1


def test_an_enabled_webhook_gets_what_failed_immediately(sender: Flask, later: MoveClock) -> None:
    with receiver(responding(FAILED, FAILED, ACCEPTED)) as server:
        webhook = add_webhook(server)
        change()
        delivery.deliver_due()
        later(timedelta(seconds=6))
        delivery.deliver_due()
        endpoints.disable(webhook)
        endpoints.enable(webhook)
        db.session.commit()

        assert delivery.deliver_due() == 1


def test_a_replay_leaves_out_what_waits_to_be_sent_anyway(sender: Flask) -> None:
    with receiver(responding(FAILED)) as server:
        webhook = add_webhook(server)
        change()
        delivery.deliver_due()
        count = replays.replay_range(webhook, delivery.clock.now() - timedelta(days=1))
        db.session.commit()

        assert (count, delivery.deliver_due()) == (0, 0)


def test_a_new_url_gets_immediately_what_waits_for_the_old_one(sender: Flask) -> None:
    with receiver(responding("503 Service Unavailable\r\nRetry-After: 3600")) as broken, receiver() as server:
        webhook = add_webhook(broken)
        change()
        delivery.deliver_due()
        endpoints.change(webhook, {"url": server.url})
        db.session.commit()

        assert delivery.deliver_due() == 1

    assert len(server.requests) == 1


def test_a_success_ends_the_days_of_failures_after_which_a_webhook_is_disabled(sender: Flask, later: MoveClock) -> None:
    with receiver(responding(FAILED, ACCEPTED, FAILED)) as server:
        add_webhook(server)
        change()
        delivery.deliver_due()
        later(timedelta(seconds=6))
        delivery.deliver_due()
        later(delivery.MAX_FAILING)
        change()
        delivery.deliver_due()

    assert fetch_rows(sender, "SELECT disabled_at FROM webhook_endpoints") == [(None,)]


def test_a_user_who_makes_a_body_too_long_is_left_out_of_it(sender: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id = make_user(sender, first_name="Zephyrine")
    with receiver() as server:
        add_webhook(server, includes=["user"])
        change(user_id)
        delivery.deliver_due()
        for limit in (0, -1):
            monkeypatch.setattr(payload, "MAX_BODY", len(received(server)[0].body) + limit)
            change(user_id)
            delivery.deliver_due()

    users = [request.document["data"]["user"] for request in received(server)]
    assert users[0]["first_name"] == users[1]["first_name"] == "Zephyrine"
    assert set(users[2]) == {"id", "url"}
