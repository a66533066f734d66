"""The event feed: every event once, for other services."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.api_keys import KeyHolder
from tests.support.race import run_simultaneously
from userapi.audit import audit_log, feed, queries
from userapi.audit.models import AuditEvent
from userapi.core import clock
from userapi.core.batches import prune_in_batches
from userapi.core.db import db

FEED = "/userapi/events/"


def read(reader: ApiUser, after: str | None = None, **query: Any) -> dict[str, Any]:
    """A page of the feed."""
    response = reader.get(FEED, query_string={**({"after": after} if after else {}), **query})
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.get_json()
    return page


def read_all(reader: ApiUser, **query: Any) -> list[dict[str, Any]]:
    """Every event of the feed, in its order."""
    found: list[dict[str, Any]] = []
    after, before = None, ""
    while after != before:
        before, page = after, read(reader, after, **query)
        found += page["results"]
        after = page["after"]
    return found


def record(app: Flask, *actions: str) -> None:
    """Write and commit events."""
    with app.app_context():
        for action in actions:
            audit_log.record(action, "group", 1)
        db.session.commit()


def ids(app: Flask) -> list[int]:
    """The ids of all events."""
    with app.app_context():
        return list(db.session.scalars(sa.select(AuditEvent.id).order_by(AuditEvent.id)))


def test_a_service_account_reads_the_feed_with_a_key(app: Flask, superuser: ApiUser) -> None:
    account = superuser.post("/userapi/service-accounts/", json={"name": "shop"}).get_json()
    keys = f"/userapi/service-accounts/{account['id']}/keys/"
    holders = []
    for scope in ("events", "users"):
        created = superuser.post(keys, json={"name": "Feed", "scopes": [scope]}).get_json()
        holders.append(KeyHolder(app.test_client(), created["id"], created["key"]))

    page = holders[0].get(FEED)

    assert page.status_code == 200, page.text
    assert [event["type"] for event in page.get_json()["results"]][-3:] == [
        "service_account.created", "api_key.created", "api_key.created",
    ]  # fmt: skip
    assert holders[1].get(FEED).get_json()["code"] == "insufficient_scope"


@pytest.mark.both
def test_W50_two_readers_get_each_event_once_while_fifty_write_and_one_is_slow(
    app: Flask, make_api_user: Callable[..., ApiUser]
) -> None:
    readers = [make_api_user(is_staff=True, is_superuser=True) for _ in range(2)]
    is_sqlite = app.config["DATABASE_URL"].startswith("sqlite")
    slow_has_id, is_overtaken, all_are_done = threading.Event(), threading.Event(), threading.Event()
    everyone = threading.Barrier(50, all_are_done.set)
    slow_ids: list[int] = []

    def write_slowly() -> list[int]:
        with app.app_context():
            slow_ids.append(audit_log.record("group.changed", "group", 1))
            slow_has_id.set()
            is_overtaken.wait(0.2 if is_sqlite else 60)  # on SQLite, the others wait for this transaction
            db.session.commit()
        everyone.wait(60)
        return slow_ids

    def write() -> list[int]:
        slow_has_id.wait(60)
        with app.app_context():
            found = []
            for _ in range(3):
                found.append(audit_log.record("group.changed", "group", 1))
                db.session.commit()
        everyone.wait(60)
        return found

    def follow(reader: ApiUser) -> list[int]:
        found: list[int] = []
        after, is_last = None, False
        slow_has_id.wait(60)
        while not is_last:
            were_done = all_are_done.is_set()
            page = read(reader, after, limit=7)
            found += [event["sequence"] for event in page["results"]]
            if found and max(found) > slow_ids[0]:
                is_overtaken.set()
            is_last = were_done and page["after"] == after
            after = page["after"]
        return found

    followers = [lambda reader=reader: follow(reader) for reader in readers]
    *_written, first, second = run_simultaneously([write_slowly, *[write] * 49, *followers])

    assert sorted(first) == ids(app)
    assert first == second
    if not is_sqlite:
        assert first != sorted(first), "the slow event was not late"


def test_W50_a_position_survives_a_restart_and_ends_at_the_newest_event(
    make_app: Callable[..., Flask], superuser: ApiUser
) -> None:
    page = read(superuser)
    again = read(superuser, page["after"])

    restarted = make_app()
    record(restarted, "group.created")
    reader = ApiUser(restarted.test_client(), superuser.id, superuser.email, superuser.password, superuser.tokens)

    assert (again["results"], again["after"]) == ([], page["after"])
    assert [event["type"] for event in read(reader, page["after"])["results"]] == ["group.created"]


def test_events_are_as_thin_as_webhooks(app: Flask, superuser: ApiUser, user: ApiUser) -> None:
    after = read(superuser, "latest")["after"]
    response = user.patch("/userapi/auth/user/", json={"first_name": "Personal", "profile": {"city": "Private"}})

    event = read(superuser, after)["results"][0]

    assert event == {
        "type": "user.changed",
        "timestamp": event["timestamp"],
        "id": f"evt_{event['sequence']}",
        "sequence": ids(app)[-1],
        "data": {
            "user": {"id": user.id, "url": f"http://accounts.example.com{user.url}"},
            "changed": ["first_name", "profile.city"],
            "actor": {"id": user.id},
            "request_id": response.headers["X-Request-ID"],
            "key_id": None,
            "impersonator_id": None,
        },
    }


def test_events_of_ended_sessions_name_them(superuser: ApiUser, user: ApiUser) -> None:
    session_id = user.get("/userapi/auth/sessions/").get_json()["results"][0]["id"]
    user.post("/userapi/auth/logout/")

    event = read_all(superuser, action="session.ended")[-1]

    assert event["data"]["sessions"] == [session_id]


def test_a_filter_moves_on_past_other_events(app: Flask, superuser: ApiUser, monkeypatch: pytest.MonkeyPatch) -> None:
    record(app, *["group.changed"] * 9, "key.added", "group.created", "group.deleted")
    monkeypatch.setattr(feed, "SCANNED", 4)
    read_all(superuser)

    assert [event["type"] for event in read_all(superuser, action="key.added")] == ["key.added"]
    assert len(read_all(superuser, action="group.*", limit=2)) == 11
    assert read(superuser, action="key.added")["results"] == []


def test_latest_skips_what_happened_before(app: Flask, superuser: ApiUser) -> None:
    record(app, "group.created", "group.changed")

    page = read(superuser, "latest")
    record(app, "group.deleted")

    assert page["results"] == []
    assert [event["type"] for event in read(superuser, page["after"])["results"]] == ["group.deleted"]


def test_a_reader_learns_that_events_after_its_position_were_deleted(app: Flask, superuser: ApiUser) -> None:
    after = read(superuser, limit=1)["after"]
    record(app, "group.created", "group.deleted")
    read_all(superuser)
    with app.app_context():
        newest = db.session.scalar(sa.select(sa.func.max(AuditEvent.position)))
        db.session.execute(sa.delete(AuditEvent).where(AuditEvent.position < newest))
        db.session.commit()

    gone = superuser.get(FEED, query_string={"after": after})

    assert (gone.status_code, gone.get_json()["code"]) == (410, "position_gone")
    assert [event["type"] for event in read_all(superuser)] == ["group.deleted"]


@pytest.mark.both
def test_a_reader_learns_that_events_were_pruned_before_anyone_read_them(app: Flask, superuser: ApiUser) -> None:
    after = read_page_end(superuser)
    record(app, "group.created", "group.deleted")
    prune(app)
    record(app, "group.changed")

    gone = superuser.get(FEED, query_string={"after": after})

    assert (gone.status_code, gone.get_json()["code"]) == (410, "position_gone")
    assert [event["type"] for event in read_all(superuser)] == ["group.changed"]


@pytest.mark.parametrize("deleted", [[2], [3], [1, 2, 3]])
def test_a_reader_learns_of_each_gap_after_its_position(app: Flask, superuser: ApiUser, deleted: list[int]) -> None:
    after = read_page_end(superuser)
    record(app, "group.created", "group.changed", "group.deleted")
    read_all(superuser)
    with app.app_context():
        newest = db.session.scalar(sa.select(sa.func.max(AuditEvent.position))) or 0
        positions = [newest - 3 + number for number in deleted]
        db.session.execute(sa.delete(AuditEvent).where(AuditEvent.position.in_(positions)))
        db.session.commit()

    response = superuser.get(FEED, query_string={"after": after})
    if response.status_code == 200:  # what comes before the gap
        response = superuser.get(FEED, query_string={"after": response.get_json()["after"]})

    assert (response.status_code, response.get_json()["code"]) == (410, "position_gone")


def prune(app: Flask) -> None:
    """Delete all events as if they were too old."""
    with app.app_context():
        prune_in_batches(queries.delete_before, clock.now())


def test_a_reader_learns_that_the_database_is_older_than_its_position(superuser: ApiUser) -> None:
    gone = superuser.get(FEED, query_string={"after": feed.encode(4711)})

    assert (gone.status_code, gone.get_json()["code"]) == (410, "position_gone")


def test_positions_are_not_given_again_after_all_events_were_deleted(app: Flask, superuser: ApiUser) -> None:
    after = read_page_end(superuser)
    with app.app_context():
        db.session.execute(sa.delete(AuditEvent))
        db.session.commit()
    assert read(superuser)["after"] == after
    record(app, "group.created")

    assert [event["type"] for event in read(superuser, after)["results"]] == ["group.created"]


def read_page_end(reader: ApiUser) -> str:
    """The position after all events."""
    after: str = read(reader, "latest")["after"]
    return after


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "abc"}, "after"),
        ({"after": "WyJmZWVkIiwibmV4dCIsbnVsbCwtMV0"}, "after"),
        ({"action": "user.chnaged"}, "action"),
        ({"action": "user"}, "action"),
        ({"limit": "0"}, "limit"),
    ],
)
def test_invalid_queries_are_rejected(superuser: ApiUser, query: dict[str, str], field: str) -> None:
    response = superuser.get(FEED, query_string=query)

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]


def test_only_superusers_read_the_feed(app: Flask, staff: ApiUser, user: ApiUser) -> None:
    assert app.test_client().get(FEED).status_code == 401
    assert [each.get(FEED).status_code for each in (staff, user)] == [403, 403]
