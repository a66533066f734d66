"""Events reach webhooks although either side fails: queued with what causes them, sent until they are accepted."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.support.email_delivery import MoveClock
from tests.support.factories import make_user
from tests.support.race import run_simultaneously
from tests.support.raw_server import respond_with
from tests.support.sql import fetch_number, fetch_rows
from tests.support.webhook_receivers import ACCEPTED, act, add_webhook, received, receiver, responding
from userapi.audit import audit_log
from userapi.core.db import db
from userapi.users import accounts
from userapi.users import queries as user_queries
from userapi.webhooks import delivery, endpoints, pruning, queries, replays
from userapi.webhooks.models import State

GONE, FAILED, BUSY = "410 Gone", "500 Internal Server Error", "503 Service Unavailable"


def states(app: Flask) -> list[Any]:
    """State, attempts and last status of each delivery."""
    return [
        tuple(row) for row in fetch_rows(app, "SELECT state, attempts, last_status FROM webhook_deliveries ORDER BY id")
    ]


def change(user_id: int = 7) -> int:
    """Record and commit an event about a user."""
    return act(audit_log.record, "user.changed", "user", user_id)


@pytest.mark.both
def test_a_committed_event_is_delivered_once_and_a_rolled_back_one_never(sender: Flask) -> None:
    with receiver() as server:
        add_webhook(server, ["user.*", "user.changed"])
        event_id = act(audit_log.record, "user.changed", "user", 7, {"first_name": ("Ada", "Eda")})
        act(audit_log.record, "group.created", "group", 1)
        audit_log.record("user.changed", "user", 8)
        db.session.rollback()

        assert (delivery.deliver_due(), delivery.deliver_due()) == (1, 0)

    [request] = received(server)
    assert request.document["type"] == "user.changed"
    assert request.document["sequence"] == event_id
    assert request.document["data"]["user"]["id"] == 7
    assert request.document["data"]["changed"] == ["first_name"]
    assert states(sender) == [("delivered", 1, 204)]


@pytest.mark.both
def test_W37_retries_and_replays_have_the_same_webhook_id_and_each_its_own_timestamp(
    sender: Flask, later: MoveClock
) -> None:
    with receiver(responding(FAILED, ACCEPTED)) as server:
        webhook = add_webhook(server)
        change()
        assert (delivery.deliver_due(), delivery.deliver_due()) == (1, 0)
        assert states(sender) == [("waiting", 1, 500)]
        later(timedelta(seconds=6))
        assert delivery.deliver_due() == 1
        later(timedelta(hours=1))
        replays.replay_range(webhook, delivery.clock.now() - timedelta(days=1))
        db.session.commit()
        assert delivery.deliver_due() == 1

    requests = received(server)
    timestamps = [int(request.headers["webhook-timestamp"]) for request in requests]
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert timestamps[1] - timestamps[0] in (6, 7)
    assert timestamps[2] - timestamps[1] >= 3600
    assert len({request.headers["webhook-signature"] for request in requests}) == 3


def test_a_delivery_is_tried_ten_times_within_four_days_and_then_fails(sender: Flask, later: MoveClock) -> None:
    waits = []
    with receiver(responding(FAILED)) as server:
        add_webhook(server)
        change()
        while delivery.deliver_due():
            [(due_at,)] = fetch_rows(sender, "SELECT julianday(due_at) FROM webhook_deliveries")
            if due_at is not None:
                waits.append(wait := due_at - fetch_rows(sender, NOW.format(delivery.clock.now()))[0][0])
                later(timedelta(days=wait, seconds=1))

    assert len(server.requests) == 10
    for wait, seconds in zip(waits, delivery.DELAYS, strict=True):
        assert 0.89 * seconds <= wait * 86400 <= 1.11 * seconds
    assert states(sender) == [("failed", 10, 500)]


#: The time of the tests as a day number.
NOW = "SELECT julianday('{:%Y-%m-%d %H:%M:%S.%f}')"


@pytest.mark.both
def test_an_unavailable_receiver_gets_only_the_oldest_event_until_it_accepts_it(
    sender: Flask, later: MoveClock
) -> None:
    with receiver(responding(f"{BUSY}\r\nRetry-After: 100", BUSY, ACCEPTED)) as server:
        add_webhook(server)
        first, second = change(), change()
        assert delivery.deliver_due() == 1
        for seconds, attempts in ((99, 0), (2, 1), (250, 0), (90, 2)):
            later(timedelta(seconds=seconds))
            assert delivery.deliver_due() == attempts

    assert [request.sequence for request in received(server)] == [first, first, first, second]


@pytest.mark.parametrize("status", [FAILED, "404 Not Found", "301 Moved\r\nLocation: http://127.0.0.1/"])
def test_an_event_that_is_rejected_delays_no_other(sender: Flask, status: str) -> None:
    with receiver(responding(status, ACCEPTED)) as server:
        add_webhook(server)
        change(), change()
        assert delivery.deliver_due() == 2

    assert [row[0] for row in states(sender)] == ["waiting", "delivered"]


@pytest.mark.both
def test_W44_a_receiver_that_is_gone_is_disabled_immediately_and_its_event_is_kept(sender: Flask) -> None:
    make_user(sender, is_superuser=True, is_staff=True)
    with receiver(responding(GONE)) as server:
        add_webhook(server)
        change(), change()
        assert delivery.deliver_due() == 1

    assert [row[0] for row in states(sender)] == ["waiting", "waiting"]
    assert fetch_rows(sender, "SELECT disabled_reason FROM webhook_endpoints") == [("gone",)]
    assert fetch_number(sender, "SELECT count(*) FROM messages WHERE kind = 'webhook_disabled'") == 1


@pytest.mark.both
def test_W44_five_days_of_failures_disable_a_webhook_once_though_ten_workers_deliver(
    sender: Flask, later: MoveClock
) -> None:
    make_user(sender, is_superuser=True, is_staff=True)
    sender.config["WEBHOOK_CONCURRENCY"] = 10
    with receiver(responding(FAILED)) as server:
        add_webhook(server)
        change()
        delivery.deliver_due()
        later(timedelta(days=5, minutes=1))
        for _number in range(12):
            change()
        run_simultaneously([lambda: delivery.run_sender(sender, lambda: False)] * 10)

    assert fetch_rows(sender, "SELECT disabled_reason FROM webhook_endpoints") == [("failing",)]
    assert fetch_number(sender, "SELECT count(*) FROM messages WHERE kind = 'webhook_disabled'") == 1
    assert fetch_number(sender, "SELECT count(*) FROM audit_events WHERE action = 'webhook.disabled'") == 1
    assert len(server.requests) == 2


@pytest.mark.both
@pytest.mark.parametrize("drops", [False, True])
def test_W45_what_a_disabled_webhook_misses_is_held_and_then_sent_or_dropped(sender: Flask, drops: bool) -> None:
    with receiver() as server:
        webhook = add_webhook(server)
        endpoints.disable(webhook)
        db.session.commit()
        missed = [change(), change()]
        assert delivery.deliver_due() == 0
        assert [row.shown_state for row in queries.list_deliveries(webhook)] == [State.HELD, State.HELD]

        endpoints.enable(webhook, drop_waiting=drops)
        db.session.commit()
        later_event = change()
        delivery.deliver_due()

    expected = [later_event] if drops else [*missed, later_event]
    assert [request.sequence for request in received(server)] == expected
    shown = {row.shown_state for row in queries.list_deliveries(webhook)}
    assert shown == ({State.DROPPED, State.DELIVERED} if drops else {State.DELIVERED})


@pytest.mark.both
def test_W46_a_replay_sends_each_event_of_a_time_once_to_that_webhook_alone_though_clicked_twice(
    sender: Flask, later: MoveClock
) -> None:
    with receiver() as server, receiver() as other:
        webhook = add_webhook(server)
        add_webhook(other)
        change()
        delivery.deliver_due()
        later(timedelta(minutes=1))
        since = delivery.clock.now()
        wanted = [change(), change()]
        delivery.deliver_due()

        def replay() -> int:
            with sender.app_context():
                count = replays.replay_range(webhook, since)
                db.session.commit()
            delivery.run_sender(sender, lambda: False)
            return count

        assert sorted(run_simultaneously([replay, replay])) == [0, 2]
        assert replay() == 0

    assert [request.sequence for request in received(server)][3:] == wanted
    assert len(other.requests) == 3


@pytest.mark.both
def test_W48_thin_bodies_have_no_personal_data_and_a_deleted_user_leaves_none(sender: Flask) -> None:
    user_id = make_user(sender, email="vanishing@example.com", first_name="Zephyrine")
    with receiver(respond_with(b"Unknown customer Zephyrine")) as server, receiver() as thin:
        add_webhook(server, includes=["user"])
        add_webhook(thin)
        change(user_id)
        delivery.deliver_due()
        assert received(server)[-1].document["data"]["user"]["first_name"] == "Zephyrine"
        assert fetch_number(sender, "SELECT count(*) FROM webhook_attempts WHERE excerpt LIKE '%Zephyrine%'") == 1
        accounts.delete(user_queries.lock_user(user_id))
        db.session.commit()
        delivery.deliver_due()

    assert received(server)[-1].document["data"]["user"]["id"] == user_id
    assert all(b"vanishing" not in request and b"Zephyrine" not in request for request in thin.requests)
    for table in ("webhook_endpoints", "webhook_subscriptions", "webhook_deliveries", "webhook_attempts"):
        assert not [row for row in fetch_rows(sender, f"SELECT * FROM {table}") if "Zephyrine" in str(row)]


@pytest.mark.both
def test_W48_a_user_who_is_deleted_while_a_response_is_stored_leaves_none(
    sender: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id = make_user(sender, first_name="Zephyrine")
    keep_user = user_queries.keep_user

    def delete() -> None:
        with sender.app_context():
            accounts.delete(user_queries.lock_user(user_id))
            db.session.commit()

    deletion = threading.Thread(target=delete)

    def keep_user_for_a_moment(user_id: int) -> bool:
        is_there = keep_user(user_id)
        if deletion.ident is None:
            deletion.start()
            deletion.join(0.2)  # it waits for the end of this transaction
        return is_there

    monkeypatch.setattr(user_queries, "keep_user", keep_user_for_a_moment)
    with receiver(respond_with(b"Unknown customer Zephyrine")) as server:
        add_webhook(server)
        change(user_id)
        delivery.deliver_due()
        deletion.join()

    assert states(sender)[0] == ("delivered", 1, 200)
    assert fetch_number(sender, "SELECT count(*) FROM users") == 0
    assert fetch_number(sender, "SELECT count(*) FROM webhook_attempts WHERE excerpt LIKE '%Zephyrine%'") == 0


@pytest.mark.both
def test_W51_old_deliveries_are_deleted_in_batches_with_their_attempts(
    sender: Flask, later: MoveClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("userapi.core.batches.ROWS_PER_TRANSACTION", 2)
    with receiver() as server:
        add_webhook(server)
        for _number in range(5):
            change()
        delivery.deliver_due()
        later(timedelta(days=sender.config["WEBHOOK_KEEP_DAYS"], minutes=1))
        change()

        assert pruning.prune_old() == 5

    assert [row[0] for row in states(sender)] == ["waiting"]
    assert fetch_number(sender, "SELECT count(*) FROM webhook_attempts") == 0
