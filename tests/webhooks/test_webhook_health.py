"""Whether webhooks work, as health checks and lists say, and the Celery task that sends events."""

import sqlite3
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import commands
from tests.support.email_delivery import MoveClock
from tests.support.webhook_receivers import ACCEPTED, act, add_webhook, receiver, responding
from userapi.audit import audit_log
from userapi.core.db import db
from userapi.webhooks import delivery, endpoints, queries
from userapi.webhooks.endpoint_health import health_of


def change() -> None:
    """Record and commit an event."""
    act(audit_log.record, "user.changed", "user", 7)


@pytest.mark.both
def test_health_checks_and_lists_say_whether_webhooks_work(
    sender: Flask, client: FlaskClient, later: MoveClock
) -> None:
    def states() -> tuple[str | None, str]:
        checks = client.get("/readyz").get_json()["checks"]
        return checks.get("webhooks"), health_of(queries.find_endpoint(webhook)).value

    assert "webhooks" not in client.get("/readyz").get_json()["checks"]
    failed = "500 Internal Server Error"
    with receiver(responding(failed, ACCEPTED, "410 Gone", ACCEPTED)) as server:
        webhook = add_webhook(server)
        change()
        assert states() == ("ok", "active")
        later(timedelta(minutes=16))
        assert states() == ("delayed", "active")
        delivery.deliver_due()
        assert states() == ("failing", "failing")
        later(timedelta(seconds=6))
        delivery.deliver_due()
        assert states() == ("ok", "active")

        change()
        delivery.deliver_due()
        later(timedelta(minutes=16))
        assert states() == ("disabled", "disabled")
        endpoints.enable(webhook)
        db.session.commit()
        delivery.deliver_due()
        assert states() == ("ok", "active")

    endpoints.disable(webhook)
    db.session.commit()
    change()
    later(timedelta(minutes=16))
    assert states() == ("ok", "disabled")  # staff know


@pytest.mark.slow
@pytest.mark.parametrize("is_on", [True, False])
def test_a_celery_task_sends_events_if_the_service_has_webhooks(tmp_path: Path, is_on: bool) -> None:
    env = commands.environment(
        f"sqlite:///{tmp_path}/test.db", tmp_path, CELERY_BROKER_URL="redis://127.0.0.1:1/0",
        WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8", WEBHOOKS=str(is_on).lower(),
    )  # fmt: skip
    assert commands.run(*commands.FLASK, "db", "upgrade", env=env).code == 0
    with receiver() as server:
        script = (
            "from userapi import worker; from userapi.audit import audit_log; from userapi.core.db import db\n"
            "from userapi.webhooks import endpoints\n"
            "with worker.web.app_context():\n"
            f"  endpoints.create('{server.url}', ['user.*'], maker_id=None)\n"
            "  audit_log.record('user.created', 'user', 7); db.session.commit()\n"
            "print(*worker.celery.conf.beat_schedule, sep=';'); worker.deliver_webhooks()"
        )
        result = commands.run(sys.executable, "-c", script, env=env)

    assert result.code == 0, result.output
    assert ("deliver webhooks" in result.output) is is_on
    assert len(server.requests) == is_on
    with sqlite3.connect(tmp_path / "test.db") as database:
        delivered = database.execute("SELECT count(*) FROM webhook_deliveries WHERE state = 'delivered'").fetchone()
    assert delivered == (int(is_on),)
