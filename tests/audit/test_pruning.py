"""Old events are deleted, if the settings say so."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.race import run_simultaneously
from userapi.audit import audit_log, pruning, queries
from userapi.audit.models import AuditEvent
from userapi.core import batches, clock
from userapi.core.db import db
from userapi.core.environment import ConfigurationError


def write_old_events(app: Flask, days: int, count: int, **columns: str) -> None:
    moment = clock.now() - timedelta(days=days)
    rows = [{"occurred_at": moment, "action": "group.changed", "origin": "api", **columns}] * count
    with app.app_context():
        db.session.execute(sa.insert(AuditEvent), rows)
        db.session.commit()


def count_events(app: Flask, *conditions: sa.ColumnElement[bool]) -> int:
    with app.app_context():
        return int(db.session.scalar(sa.select(sa.func.count()).select_from(AuditEvent).where(*conditions)) or 0)


@pytest.mark.both
def test_W51_old_events_are_deleted_in_batches_while_others_are_written(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(AUDIT_KEEP_DAYS="90")
    write_old_events(app, 91, 450)
    write_old_events(app, 89, 10)
    monkeypatch.setattr(batches, "ROWS_PER_TRANSACTION", 100)
    deleted: list[int] = []

    def prune() -> int:
        with app.app_context():
            return pruning.prune_old()

    def write() -> int:
        with app.app_context():
            for _ in range(20):
                audit_log.record("group.created", "group", 1)
                db.session.commit()
        return 0

    def delete_and_note(moment: datetime, limit: int) -> int:
        deleted.append(delete_before(moment, limit))
        return deleted[-1]

    delete_before = queries.delete_before
    monkeypatch.setattr(queries, "delete_before", delete_and_note)

    found = run_simultaneously([prune, write])

    assert found[0] == 450
    assert deleted == [100, 100, 100, 100, 50, 0]
    assert count_events(app) == 30


def test_events_are_kept_forever_by_default(app: Flask) -> None:
    write_old_events(app, 36_000, 1)

    kept = app.test_cli_runner().invoke(args=["audit", "prune"])

    assert kept.output == "All events are kept, because AUDIT_KEEP_DAYS is 0.\n"
    assert count_events(app) == 1


def test_the_command_says_how_many_events_it_deleted(make_app: Callable[..., Flask]) -> None:
    app = make_app(AUDIT_KEEP_DAYS="90")
    write_old_events(app, 91, 2)

    assert app.test_cli_runner().invoke(args=["audit", "prune"]).output == "2 events deleted.\n"


def test_events_are_kept_as_long_as_the_deliveries_that_need_them(make_app: Callable[..., Flask]) -> None:
    with pytest.raises(ConfigurationError, match="AUDIT_KEEP_DAYS: Must be 0 or at least WEBHOOK_KEEP_DAYS"):
        make_app(AUDIT_KEEP_DAYS="7")

    make_app(AUDIT_KEEP_DAYS="7", WEBHOOK_KEEP_DAYS="7")
    make_app(AUDIT_KEEP_DAYS="7", WEBHOOKS="false")


@pytest.mark.both
def test_W83_ip_addresses_of_old_events_are_removed_and_the_events_stay(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(AUDIT_ADDRESS_KEEP_DAYS="30")
    monkeypatch.setattr(pruning, "ROWS_PER_TRANSACTION", 100)
    write_old_events(app, 31, 250, address="192.0.2.7", user_agent="Firefox")
    write_old_events(app, 29, 10, address="192.0.2.7", user_agent="Firefox")
    with app.app_context():
        assert pruning.remove_addresses() == 250
        assert pruning.remove_addresses() == 0

    assert count_events(app) == 260
    assert count_events(app, AuditEvent.address.is_not(None)) == 10
    assert count_events(app, AuditEvent.user_agent.is_not(None)) == 10


def test_ip_addresses_are_kept_by_default(app: Flask) -> None:
    write_old_events(app, 36_000, 1, address="192.0.2.7")

    with app.app_context():
        assert pruning.remove_addresses() == 0

    assert count_events(app, AuditEvent.address.is_not(None)) == 1
