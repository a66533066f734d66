"""Notices reach other services although either side fails: queued with what causes them, sent until accepted."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.email_delivery import MoveClock, clock_mover
from tests.support.raw_server import RawServer, raw_server, respond_with
from tests.support.sql import fetch_number, fetch_rows
from userapi.core import loop
from userapi.core.db import db
from userapi.outbound import form_notices, notices
from userapi.outbound.limits import Limits

ACCEPTED = "204 No Content"


@pytest.fixture
def sender(app: Flask) -> Iterator[Flask]:
    """An application that sends notices of one kind to servers on this machine."""
    app.config["OUTBOUND_PRIVATE_HOSTS"] = ("127.0.0.1",)
    app.extensions["userapi-outbound"] = Limits(4)
    form_notices.register(app, "session_ended", lambda content: {"sid": str(content["sid"])})
    with app.app_context():
        yield app
    del app.extensions[notices.KINDS]["session_ended"]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """Moves the clock."""
    return clock_mover(monkeypatch)


def queue(server: RawServer, sid: int = 7) -> None:
    """Queue a notice, and commit."""
    notices.queue("session_ended", "shop", {"sid": sid}, url=f"{server.url}/logout")
    db.session.commit()


def answering(*heads: str) -> Any:
    """A response for each request in turn; the last one is repeated."""
    left = list(heads)
    return lambda connection: respond_with(b"", left.pop(0) if len(left) > 1 else left[0])(connection)


def state(app: Flask) -> tuple[Any, ...]:
    """Attempts, whether it is due again, was sent and has failed, and the last error."""
    columns = "attempts, due_at IS NOT NULL, sent_at IS NOT NULL, failed_at IS NOT NULL, last_error"
    [row] = fetch_rows(app, f"SELECT {columns} FROM notices")
    return (row[0], *map(bool, row[1:4]), row[4])


@pytest.mark.both
def test_a_notice_is_sent_once_and_only_if_its_transaction_commits(sender: Flask) -> None:
    with raw_server(respond_with(b"", ACCEPTED)) as server:
        notices.queue("session_ended", "shop", {"sid": 1}, url=server.url)
        db.session.rollback()
        assert notices.send_due(10) == 0

        queue(server)
        assert (notices.send_due(10), notices.send_due(10)) == (1, 0)

    assert [request.rpartition(b"\r\n\r\n")[2] for request in server.requests] == [b"sid=7"]
    assert state(sender) == (1, False, True, False, None)


@pytest.mark.parametrize(
    "head", ["503 Service Unavailable", "404 Not Found", "307 Moved\r\nLocation: http://127.0.0.1/"]
)
def test_a_notice_that_is_not_accepted_is_sent_again_later(sender: Flask, later: MoveClock, head: str) -> None:
    with raw_server(answering(head, ACCEPTED)) as server:
        queue(server)
        assert (notices.send_due(10), notices.send_due(10)) == (1, 0)
        assert state(sender)[:4] == (1, True, False, False)

        later(timedelta(seconds=2))
        assert notices.send_due(10) == 1

    assert state(sender) == (2, False, True, False, None)


def test_a_rejected_notice_fails_and_one_without_an_answer_fails_after_a_day(sender: Flask, later: MoveClock) -> None:
    with raw_server(respond_with(b"", "400 Bad Request")) as server:
        queue(server)
        notices.send_due(10)
    assert state(sender) == (1, False, False, True, "status 400")

    db.session.execute(sa.text("DELETE FROM notices"))
    queue(server)
    notices.send_due(10)
    assert state(sender)[:4] == (1, True, False, False)
    later(timedelta(days=1, minutes=1))
    notices.send_due(10)
    assert state(sender)[1:4] == (False, False, True)
    assert notices.prune(notices.clock.now(), notices.clock.now()) == 1


@pytest.mark.both
def test_a_notice_whose_worker_was_killed_is_sent_by_the_next_one(sender: Flask, later: MoveClock) -> None:
    with raw_server(respond_with(b"", ACCEPTED)) as server:
        queue(server)
        notices.queries.claim(notices.clock.now(), notices.LEASE, {"session_ended": None})
        db.session.commit()
        assert notices.send_due(10) == 0

        later(notices.LEASE + timedelta(seconds=1))
        assert notices.send_due(10) == 1
    assert state(sender) == (2, False, True, False, None)


@pytest.mark.both
def test_several_workers_send_each_notice_once(sender: Flask) -> None:
    def work(_number: int) -> int:
        with sender.app_context():
            return notices.send_due(20)

    with raw_server(respond_with(b"", ACCEPTED)) as server, ThreadPoolExecutor(3) as workers:
        for sid in range(12):
            queue(server, sid)
        counts = list(workers.map(work, range(3)))

    assert sum(counts) == len(server.requests) == 12
    assert fetch_number(sender, "SELECT count(*) FROM notices WHERE sent_at IS NOT NULL") == 12


def test_no_connection_to_the_database_is_in_use_while_a_notice_is_sent(sender: Flask) -> None:
    registry, found = sender.extensions["userapi-metrics"].registry, set()

    def respond(connection: socket.socket) -> None:
        found.add(registry.get_sample_value("userapi_database_connections_in_use", {"use": "writing"}))
        respond_with(b"", ACCEPTED)(connection)

    with raw_server(respond) as server:
        queue(server)
        notices.send_due(10)

    assert found == {0}


def test_nothing_runs_until_a_kind_of_notice_is_registered(make_app: Callable[..., Flask]) -> None:
    without, app = make_app(MAIL_DELIVERY="thread"), make_app(MAIL_DELIVERY="thread")
    form_notices.register(app, "session_ended", lambda _content: {})

    for each in (without, app):
        each.test_client().get("/healthz")

    assert not without.extensions[loop.LOOPS][notices.LOOP].is_running()
    assert app.extensions[loop.LOOPS][notices.LOOP].is_running()
    app.extensions[loop.LOOPS][notices.LOOP].stop()
