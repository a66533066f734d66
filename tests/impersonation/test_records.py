"""What an impersonation is called in the audit log, in the user's account, in emails and for other services."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.email_delivery import clock_mover, deliver_emails
from tests.support.email_inbox import emails_to
from tests.support.impersonation import REASON, RunningImpersonation, actions, begin, own_id, sessions, start, stop
from tests.support.servers import SmtpSink
from tests.support.staff_client import staff_client
from userapi.auth import pruning
from userapi.core import clock


@pytest.mark.both
def test_W71_each_event_names_both(make_app: Callable[..., Flask]) -> None:
    app = make_app(IMPERSONATION="true", IMPERSONATION_WRITES="true")
    running = begin(app)
    running.act("PATCH", "/userapi/auth/user/", first_name="Eve")
    stop(running.support)

    found = [event for event in actions(app, "") if event.impersonator_id is not None]

    staff, user = running.support.id, running.user.id
    assert [(event.action, event.actor_id, event.impersonator_id, event.target_id) for event in found] == [
        ("impersonation.started", staff, staff, str(user)),
        ("user.changed", user, staff, str(user)),
        ("impersonation.ended", staff, staff, str(user)),
    ]


def test_W71_the_staff_site_shows_both(make_app: Callable[..., Flask]) -> None:
    app = make_app(IMPERSONATION="true", IMPERSONATION_WRITES="true")
    boss, running = staff_client(app, is_staff=True, is_superuser=True), begin(app)
    running.act("PATCH", "/userapi/auth/user/", first_name="Eve")
    (event,) = [each for each in actions(app, "user.changed") if each.impersonator_id]

    for path in (f"/admin/audit/{event.id}/", f"/admin/users/{running.user.id}/history/"):
        text = re.sub(r"<[^>]+>", "", boss.get(path).text)
        assert re.search(rf"{running.user.email}\s+by {running.support.email}", text), path
    assert REASON in boss.get(f"/admin/users/{running.user.id}/history/").text
    sessions = boss.get(f"/admin/users/{running.user.id}/sessions/").text
    assert f"Signed in by {running.support.email}" in re.sub(r"<[^>]+>", "", sessions)
    exported = boss.post("/admin/audit/export/", format="jsonl", query="action=user.changed").text
    assert f'"impersonator_id":{running.support.id}' in exported.replace(" ", "")


def test_W71_the_user_sees_it_as_what_it_is_and_can_end_it(running: RunningImpersonation) -> None:
    user = running.user
    listed = user.client.get("/userapi/auth/sessions/").get_json()["results"]
    page = user.get("/account/devices/").text

    (found,) = [session for session in listed if session.get("by_staff")]
    assert (found["id"], found["way"], found["address"], found["user_agent"]) == (
        running.session_id, "impersonation", None, None,
    )  # fmt: skip
    assert next(session for session in listed if "by_staff" not in session)["current"]
    assert "is signed in as you since" in page
    assert running.support.email not in page

    assert user.post(f"/account/devices/{running.session_id}/end/").status_code == 303

    assert own_id(running.support) is None
    (ended,) = actions(running.app, "impersonation.ended")
    assert (ended.actor_id, ended.impersonator_id) == (user.id, None)


def test_W71_ending_all_other_sessions_ends_it_too(running: RunningImpersonation) -> None:
    assert running.user.post("/account/devices/end-others/").status_code == 303

    assert own_id(running.support) is None
    (ended,) = actions(running.app, "impersonation.ended")
    assert (ended.actor_id, ended.target_id) == (running.user.id, str(running.user.id))


@pytest.mark.both
@pytest.mark.parametrize("noticed", ["by the prune job", "by the member of staff", "by the user"])
def test_W71_one_event_says_that_it_reached_its_end(
    running: RunningImpersonation, monkeypatch: pytest.MonkeyPatch, noticed: str
) -> None:
    clock_mover(monkeypatch)(timedelta(minutes=31))

    if noticed == "by the user":
        assert running.user.post("/account/devices/end-others/").status_code == 303
    elif noticed == "by the member of staff":
        assert running.support.get("/account/").headers["Location"] == "/admin/"
    for _worker in range(2):
        with running.app.app_context():
            pruning.prune(clock.now() - timedelta(days=7))

    (event,) = actions(running.app, "impersonation.ended")
    (session,) = sessions(running.app)
    changes = json.loads(event.changes) if isinstance(event.changes, str) else event.changes
    assert (event.actor_id, event.target_id) == (None, str(running.user.id))
    assert changes["session"] == [running.session_id, None]
    assert changes["reason"] == [None, "expired"]
    assert session.ended_at is not None


@pytest.mark.both
def test_W71_staff_find_what_a_member_of_staff_did_as_a_user(make_app: Callable[..., Flask]) -> None:
    app = make_app(IMPERSONATION="true", IMPERSONATION_WRITES="true")
    boss, running = staff_client(app, is_staff=True, is_superuser=True), begin(app)
    running.act("PATCH", "/userapi/auth/user/", first_name="Eve")

    found = boss.get(f"/admin/audit/?impersonator={running.support.email}").text
    others = boss.get(f"/admin/audit/?impersonator={boss.email}").text

    assert ('id="impersonator"' in found, "<code>user.changed</code>" in found) == (True, True)
    assert "<code>session.started</code>" not in found
    assert "<code>user.changed</code>" not in others
    assert (
        'id="impersonator"' not in staff_client(make_app(), is_staff=True, is_superuser=True).get("/admin/audit/").text
    )


def test_W71_the_log_of_requests_names_both(running: RunningImpersonation, capsys: pytest.CaptureFixture[str]) -> None:
    running.support.get("/account/")
    running.user.get("/account/")

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"route":"/account/"' in line]
    assert [(line["actor"], line.get("impersonator")) for line in lines[-2:]] == [
        (running.user.id, running.support.id), (running.user.id, None),
    ]  # fmt: skip


def test_W71_the_activity_of_the_user_says_that_staff_did_it(make_app: Callable[..., Flask]) -> None:
    running = begin(make_app(IMPERSONATION="true", IMPERSONATION_WRITES="true"))
    running.act("PATCH", "/userapi/auth/user/", first_name="Eve")

    shown = running.user.client.get("/userapi/auth/activity/").get_json()["results"]

    by_staff = [(each["action"], each["address"], each["user_agent"]) for each in shown if each["source"] == "staff"]
    assert by_staff == [("user.changed", None, None), ("impersonation.started", None, None)]
    page = running.user.get("/account/activity/").text
    assert "Our staff signed in to your account" in page
    assert running.support.email not in page


def test_W71_an_email_follows_that_says_why(
    make_app: Callable[..., Flask], sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = clock_mover(monkeypatch)
    app = make_app(IMPERSONATION="true", MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none")
    first = begin(app)
    later(timedelta(minutes=29))
    assert deliver_emails(app).sent == 0
    later(timedelta(minutes=31))
    assert deliver_emails(app).sent == 1

    (email,) = emails_to(app, first.user.email, "impersonation")
    text = " ".join(email.text.split())
    assert "A member of the staff of" in text
    assert "Reason: Ticket 4711 the order is missing" in text
    assert "They could not change anything" in text
    assert first.support.email not in text


@pytest.mark.both
def test_W71_stopping_sends_the_email_now(make_app: Callable[..., Flask], sink: SmtpSink) -> None:
    app = make_app(IMPERSONATION="true", MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none")
    running = begin(app)

    stop(running.support)

    assert deliver_emails(app).sent == 1


def test_W71_the_email_can_be_turned_off(make_app: Callable[..., Flask]) -> None:
    app = make_app(IMPERSONATION="true", IMPERSONATION_NOTICE="false")
    running = begin(app)

    assert emails_to(app, running.user.email, "impersonation") == []


def test_W71_it_needs_a_reason(app: Flask) -> None:
    running = begin(app)
    stop(running.support)

    rejected = "Give a reason of at most 200 characters."
    unreadable = ("\u200b", "\u202e", "\u3164 \u2800", "...", "a\x00b", "a\x1b[31mb", "a\u202eb")
    for reason, error in (("", "This field is required."), *((each, rejected) for each in ("x" * 201, *unreadable))):
        page = start(running.support, running.user.id, reason)
        assert (page.status_code, error in page.text) == (400, True), ascii(reason)
    assert own_id(running.support) == running.support.id


def test_W71_other_services_get_the_id_of_the_member_of_staff(make_app: Callable[..., Flask]) -> None:
    app = make_app(IMPERSONATION="true", IMPERSONATION_WRITES="true")
    boss, running = staff_client(app, is_staff=True, is_superuser=True), begin(app)
    running.act("PATCH", "/userapi/auth/user/", first_name="Eve")

    events = boss.client.get("/userapi/events/?action=user.changed").get_json()["results"]

    assert events[-1]["data"]["actor"] == {"id": running.user.id}
    assert events[-1]["data"]["impersonator_id"] == running.support.id
