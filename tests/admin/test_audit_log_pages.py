"""The audit log on the staff site: filters, the page of one event, and the export."""

import csv
import io
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.factories import make_user
from tests.support.proofs import prove_and_continue
from tests.support.staff_client import StaffClient, staff_client
from userapi.audit.models import AuditEvent
from userapi.core import clock
from userapi.core.db import db

pytestmark = pytest.mark.both


@pytest.fixture
def superuser(app: Flask) -> StaffClient:
    return staff_client(app, is_staff=True, is_superuser=True)


def add_event(app: Flask, **columns: object) -> int:
    event = {"occurred_at": clock.now(), "action": "user.changed", "origin": "web", **columns}
    with app.app_context():
        event_id = db.session.execute(sa.insert(AuditEvent).values(event).returning(AuditEvent.id)).scalar_one()
        db.session.commit()
    return int(event_id)


def exports(app: Flask) -> list[AuditEvent]:
    with app.app_context():
        wanted = sa.select(AuditEvent).where(AuditEvent.action == "audit.exported").order_by(AuditEvent.id)
        return list(db.session.scalars(wanted))


def test_events_show_the_device(superuser: StaffClient) -> None:
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0 <b>"
    target = {"target_kind": "user", "target_id": str(superuser.id), "address": "203.0.113.99"}
    event = add_event(superuser.app, user_agent=firefox, **target)
    without = add_event(superuser.app, origin="cli", os_user="root")

    for path in ("/admin/audit/?address=203.0.113.99", f"/admin/users/{superuser.id}/history/"):
        assert '203.0.113.99</bdi><br><small class="quiet">Firefox on Windows</small>' in superuser.get(path).text
    page = superuser.get(f"/admin/audit/{event}/").text
    assert "<dt>Device</dt><dd>Firefox on Windows" in page
    assert firefox.replace("<b>", "&lt;b&gt;") in page
    assert "<dt>Device</dt><dd>–</dd>" in superuser.get(f"/admin/audit/{without}/").text


def test_events_are_filtered_by_ip_address_and_by_type_of_target(superuser: StaffClient) -> None:
    first = add_event(superuser.app, address="203.0.113.7", target_kind="group", target_id="9")
    other = add_event(superuser.app, address="198.51.100.2", target_kind="import", target_id="9")

    by_address = superuser.get("/admin/audit/?address=203.0.113.").text
    by_kind = superuser.get("/admin/audit/?kind=import").text

    assert f"/admin/audit/{first}/" in by_address
    assert f"/admin/audit/{other}/" not in by_address
    assert f"/admin/audit/{other}/" in by_kind
    assert f"/admin/audit/{first}/" not in by_kind
    assert f"/admin/audit/{first}/" not in superuser.get("/admin/audit/?address=%25").text


def test_the_list_names_actions_in_words_and_times_with_seconds_and_zone(superuser: StaffClient) -> None:
    moment = clock.now().replace(hour=1, minute=2, second=3)
    add_event(superuser.app, action="session.token_reused", occurred_at=moment)

    text = superuser.get("/admin/audit/?action=session.token_reused").text

    assert "Used refresh token sent again" in text
    assert "<code>session.token_reused</code>" in text
    assert f"{moment:%Y-%m-%d} 01:02:03 UTC" in text


def test_the_page_of_an_event_shows_request_changes_and_links(superuser: StaffClient) -> None:
    user_id = make_user(superuser.app, email="ada@example.com")
    event_id = add_event(
        superuser.app,
        actor_id=superuser.id,
        target_kind="user",
        target_id=str(user_id),
        address="203.0.113.7",
        request_id="4711abc",
        changes={"first_name": ["Ada", "<b>Bo</b>"]},
    )

    response = superuser.get(f"/admin/audit/{event_id}/")

    assert response.status_code == 200
    for text in ("4711abc", "203.0.113.7", "ada@example.com", superuser.email, "&lt;b&gt;Bo&lt;/b&gt;"):
        assert text in response.text
    assert f"/admin/users/{user_id}/" in response.text
    assert superuser.get("/admin/audit/999999/").status_code == 404
    assert superuser.get("/admin/audit/99999999999999999999/").status_code == 404


def test_an_export_has_the_events_of_the_filtered_list_and_is_recorded(superuser: StaffClient) -> None:
    make_user(superuser.app)
    first = add_event(
        superuser.app, address="203.0.113.7", actor_id=superuser.id, changes={"first_name": [None, "=1+1"]}
    )
    second = add_event(superuser.app, address="203.0.113.8")
    add_event(superuser.app, address="198.51.100.2")
    fields = {"query": "address=203.0.113.&before=1", "csrf_token": superuser.csrf}

    lines = superuser.post("/admin/audit/export/", format="jsonl", **fields)
    objects = [json.loads(line) for line in lines.text.splitlines()]
    rows = superuser.post("/admin/audit/export/", format="csv", **fields)

    assert lines.headers["Content-Type"].startswith("application/jsonl")
    assert 'attachment; filename="audit-log-' in rows.headers["Content-Disposition"]
    assert [event["id"] for event in objects] == [first, second]
    assert objects[0]["actor_email"] == superuser.email
    found = list(csv.DictReader(io.StringIO(rows.text.removeprefix("\ufeff"))))
    assert [row["id"] for row in found] == [str(first), str(second)]
    assert [event.changes for event in exports(superuser.app)] == [
        {"format": [None, kind], "address": [None, "203.0.113."]} for kind in ("jsonl", "csv")
    ]


def test_an_export_requires_the_permission_the_csrf_token_and_a_recent_proof(
    superuser: StaffClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = staff_client(superuser.app, is_staff=True, permissions=["view_event"])
    without_permission = staff_client(superuser.app, is_staff=True, permissions=["view_user"])

    assert without_permission.post("/admin/audit/export/", format="csv").status_code == 403
    assert reader.post("/admin/audit/export/", csrf=False, format="csv").status_code != 200
    assert exports(superuser.app) == []
    assert reader.post("/admin/audit/export/", format="csv").status_code == 200
    later = clock.now() + timedelta(minutes=25)
    monkeypatch.setattr("userapi.core.clock.now", lambda: later)
    question = reader.post("/admin/audit/export/", format="csv")
    assert len(exports(superuser.app)) == 1
    correct = prove_and_continue(reader.client, question)
    assert correct.text.startswith("\ufeffid,")
    assert len(exports(superuser.app)) == 2


@pytest.mark.parametrize("fields", [{}, {"format": "xml"}, {"format": "csv", "query": "since=soon"}])
def test_an_altered_export_form_exports_nothing(superuser: StaffClient, fields: dict[str, str]) -> None:
    assert superuser.post("/admin/audit/export/", **fields).status_code == 303
    assert exports(superuser.app) == []
