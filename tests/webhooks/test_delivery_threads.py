"""The threads of a server that send events: none without webhooks, and a slow receiver delays no other."""

import threading
from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.waiting import wait_until
from tests.support.webhook_receivers import act, add_webhook, allow_receivers, receiver
from userapi.audit import audit_log
from userapi.core import job_runner, loop
from userapi.webhooks import fan_out

MakeApp = Callable[..., Flask]


def running(app: Flask) -> bool:
    """Whether the thread that looks for deliveries runs."""
    is_running: bool = app.extensions[loop.LOOPS][fan_out.LOOP].is_running()
    return is_running


def test_no_thread_runs_before_there_is_a_webhook_and_an_event_starts_one(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(MAIL_DELIVERY="thread")
    allow_receivers(app)
    with app.app_context(), receiver() as server:
        act(audit_log.record, "user.changed", "user", 1)
        add_webhook(server)
        act(audit_log.record, "user.changed", "user", 2)
        assert not running(app)  # a command starts no thread

        app.test_client().get("/healthz")
        runner = app.extensions[loop.LOOPS][job_runner.NAME]
        wait_until(lambda: running(app), 20)
        assert runner.is_running()
        wait_until(lambda: len(server.requests) == 1, 20)


def test_without_webhooks_the_server_starts_no_thread_until_it_creates_one(make_app: MakeApp) -> None:
    app = make_app(MAIL_DELIVERY="thread")
    allow_receivers(app)
    with app.app_context(), receiver() as server:
        app.test_client().get("/healthz")
        act(audit_log.record, "user.changed", "user", 1)
        assert not running(app)

        add_webhook(server)
        assert running(app)
        act(audit_log.record, "user.changed", "user", 1)
        wait_until(lambda: len(server.requests) == 1, 20)


def test_receivers_that_hang_delay_no_other_webhook(make_app: MakeApp) -> None:
    app = make_app(MAIL_DELIVERY="thread", WEBHOOK_CONCURRENCY="3", WEBHOOK_TIMEOUT="60")
    allow_receivers(app)
    released = threading.Event()
    with app.app_context(), receiver(lambda _connection: released.wait(60) and None) as slow, receiver() as server:
        app.test_client().get("/healthz")
        for receiving in (slow, slow, server):
            add_webhook(receiving)
        for user_id in range(1, 4):
            act(audit_log.record, "user.changed", "user", user_id)
        try:
            wait_until(lambda: len(server.requests) == 3, 20)
            assert len(slow.requests) == 2
        finally:
            released.set()
