"""The overview of the staff site: what needs attention, the periods of the charts, and what it costs."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.staff_client import StaffClient, staff_client
from userapi.admin import daily_counts
from userapi.core import clock
from userapi.core.db import db


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def attention(client: StaffClient) -> str:
    return client.get("/admin/").text.partition('aria-labelledby="attention"')[2].partition("</section>")[0]


def insert_failed_sign_ins(app: Flask, number: int, days_ago: int) -> None:
    moment = clock.now() - timedelta(days=days_ago)
    statement = sa.text(
        "INSERT INTO audit_events (occurred_at, action, origin) VALUES (:moment, 'sign_in.failed', 'web')"
    ).bindparams(sa.bindparam("moment", type_=sa.DateTime(timezone=True)))
    with app.app_context():
        db.session.execute(statement, [{"moment": moment}] * number)
        db.session.commit()


def test_staff_see_that_everything_works(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.config, "MAIL_SERVER", "mail.example.com")
    page = attention(staff_client(app, is_staff=True, permissions=("view_user", "view_email", "view_session")))

    assert "Everything works." in page
    assert "<li" not in page


def test_findings_of_doctor_need_the_attention_of_superusers(superuser: StaffClient, app: Flask) -> None:
    app.config["RATELIMIT_ENABLED"] = False

    assert "RATELIMIT_ENABLED" in attention(superuser)
    assert 'href="/admin/system/"' in attention(superuser)
    assert "RATELIMIT_ENABLED" not in attention(staff_client(app, is_staff=True))


def test_failed_emails_need_attention(superuser: StaffClient, app: Flask) -> None:
    superuser.post("/admin/users/act/", action="send_reset", user=make_user(app), confirmed="1")
    assert "failed email" not in attention(superuser)
    with app.app_context():
        db.session.execute(sa.text("UPDATE messages SET due_at = NULL, given_up_at = created_at"))
        db.session.commit()

    assert "1 failed email<" in attention(superuser)
    assert 'href="/admin/emails/?state=failed"' in attention(superuser)


@pytest.mark.both
def test_a_spike_of_failed_sign_ins_needs_attention(superuser: StaffClient, app: Flask) -> None:
    insert_failed_sign_ins(app, 70, days_ago=3)
    insert_failed_sign_ins(app, 29, days_ago=0)
    assert "failed sign-ins today" not in attention(superuser)
    insert_failed_sign_ins(app, 1, days_ago=0)

    assert "30 failed sign-ins today" in attention(superuser)
    assert "Last week there were 10 per day." in attention(superuser)
    assert "/admin/audit/?action=sign_in.failed&amp;since=" in attention(superuser)


@pytest.mark.both
@pytest.mark.parametrize(("query", "days"), [("", 30), ("?days=7", 7), ("?days=90", 90), ("?days=1000000", 30)])
def test_the_charts_show_7_30_or_90_days(superuser: StaffClient, app: Flask, query: str, days: int) -> None:
    insert_failed_sign_ins(app, 1, days_ago=6)
    insert_failed_sign_ins(app, 1, days_ago=7)
    insert_failed_sign_ins(app, 1, days_ago=89)
    page = superuser.get(f"/admin/{query}").text

    number = {7: 1, 30: 2, 90: 3}[days]
    assert f'aria-label="Failed sign-ins: {number} in {days} days' in page
    assert f"No emails sent in {days} days." in page
    assert re.search(rf'<a href="\?days={days}" aria-current="true">', page)


@pytest.mark.both
def test_many_events_of_days_that_are_over_are_counted_once(
    superuser: StaffClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_counts, "MIN_KEPT", 0)
    monkeypatch.setitem(app.extensions, daily_counts.EXTENSION, {})
    insert_failed_sign_ins(app, 5, days_ago=40)
    since: list[Any] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_others: Any) -> None:
        if "audit_events" in statement and "GROUP BY" in statement:
            since.append(str(parameters))

    superuser.get("/admin/?days=90")
    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    first_day = str(clock.today() - timedelta(days=89))
    page = superuser.get("/admin/?days=90").text
    sa.event.remove(sa.Engine, "before_cursor_execute", note)

    assert 'aria-label="Failed sign-ins: 5 in 90 days' in page
    assert since
    assert not [parameters for parameters in since if first_day in parameters]


@pytest.mark.both
def test_new_events_are_added_to_numbers_that_are_kept(
    superuser: StaffClient, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_counts, "MIN_KEPT", 0)
    monkeypatch.setitem(app.extensions, daily_counts.EXTENSION, {})
    insert_failed_sign_ins(app, 5, days_ago=2)
    assert 'aria-label="Failed sign-ins: 5 in 30 days' in superuser.get("/admin/").text

    insert_failed_sign_ins(app, 2, days_ago=0)
    for _view in range(2):
        assert 'aria-label="Failed sign-ins: 7 in 30 days' in superuser.get("/admin/").text

    monkeypatch.setattr(daily_counts, "SETTLING", timedelta(minutes=-1))
    for _view in range(2):
        assert 'aria-label="Failed sign-ins: 7 in 30 days' in superuser.get("/admin/").text


@pytest.mark.both
def test_staff_without_a_second_step_are_counted_with_the_indexes_of_staff(superuser: StaffClient, app: Flask) -> None:
    found: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_others: Any) -> None:
        if "second_factors" in statement and "users.is_staff" in statement and "FILTER" in statement:
            found.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    superuser.get("/admin/")
    sa.event.remove(sa.Engine, "before_cursor_execute", note)
    assert found
    with app.app_context(), db.engine.connect() as connection:
        if db.engine.dialect.name == "sqlite":
            pytest.skip("SQLite reads all users")
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_indexscan = off")  # the table is too small for a choice
        plan = str(connection.exec_driver_sql(f"EXPLAIN {found[0][0]}", found[0][1]).all())

    assert "ix_users_is_staff" in plan
    assert "ix_users_is_superuser" in plan
