"""Tokens of ended sessions are rejected as soon as an event says so."""

import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from clients.python.tests.issuer import Issuer
from userapi_client import EndedSessions, FeedReader, MemoryStore, TokenRevoked, Verifier
from userapi_client.events import Event, parse_event
from userapi_client.key_set import FetchFailed


def make_event(kind: str, *, at: float | None = None, **data: Any) -> Event:
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return parse_event(
        {"type": kind, "timestamp": moment.isoformat(), "id": "evt_1", "sequence": 1, "data": data}, "msg_1"
    )


def is_accepted(verifier: Verifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except TokenRevoked:
        return False
    return True


def test_W33_exactly_the_sessions_that_an_event_names_have_ended(issuer: Issuer) -> None:
    ended = EndedSessions()
    verifier, sessions = Verifier(issuer.url, ended=ended), [str(uuid.uuid4()) for _ in range(3)]
    tokens = [issuer.token(sid=session) for session in sessions]
    assert [is_accepted(verifier, token) for token in tokens] == [True] * 3

    assert ended.handle(make_event("session.ended", user={"id": 18}, sessions=[sessions[0]]))
    assert ended.handle(make_event("session.ended_all", user={"id": 18}, sessions=[sessions[1]]))
    assert ended.handle(make_event("session.ended_all", user={"id": 18}, sessions=[]))

    assert [is_accepted(verifier, token) for token in tokens] == [False, False, True]


@pytest.mark.parametrize(
    "kind", ["user.deactivated", "user.deleted", "service_account.deleted", "session.ended_all", "session.ended"]
)
def test_W33_without_names_every_older_token_of_the_user_is_rejected(kind: str, issuer: Issuer) -> None:
    ended, now = EndedSessions(), int(time.time())
    verifier = Verifier(issuer.url, ended=ended)
    before, same, after = (issuer.token(iat=second) for second in (now - 5, now - 3, now - 2))
    other = issuer.token(sub="19", iat=now - 5)

    ended.handle(make_event(kind, at=now - 3 + 0.5, user={"id": 18}))
    ended.handle(make_event(kind, at=now - 100, user={"id": 18}))  # an older event that comes late

    assert [is_accepted(verifier, token) for token in (before, same, after, other)] == [False, False, True, True]


def test_W33_all_sessions_of_all_users_end_together(issuer: Issuer) -> None:
    ended, now = EndedSessions(), int(time.time())
    verifier = Verifier(issuer.url, ended=ended)
    ended.handle(make_event("sessions.ended_all", at=now - 3))

    assert [is_accepted(verifier, issuer.token(sub="20", iat=second)) for second in (now - 3, now - 2)] == [False, True]


def test_other_events_end_nothing(issuer: Issuer) -> None:
    ended = EndedSessions()
    verifier = Verifier(issuer.url, ended=ended)

    assert not ended.handle(make_event("user.changed", user={"id": 18}))
    assert not ended.handle(make_event("session.ended", target={"kind": "user", "id": "18"}))
    assert is_accepted(verifier, issuer.token())


class Feed:
    """Serves events as pages of the feed."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.begins_at = 0
        self.requested: list[str] = []

    def fetch(self, url: str, **_options: Any) -> Any:
        self.requested.append(url)
        after = url.partition("after=")[2].partition("&")[0]
        if after == "latest":
            return {"results": [], "after": str(len(self.events))}
        if int(after) < self.begins_at:
            raise FetchFailed("status 410", 410)
        page = self.events[int(after) : int(after) + 2]
        return {"results": page, "after": str(int(after) + len(page))}

    def add(self, *numbers: int) -> None:
        for number in numbers:
            self.events.append({
                "type": "user.changed", "timestamp": "2026-11-30T08:15:30Z", "id": f"evt_{number}", "sequence": number,
                "data": {"user": {"id": 1}},
            })  # fmt: skip


def test_a_reader_of_the_feed_gets_each_event_and_goes_on_where_it_stopped() -> None:
    feed, seen, store = Feed(), [], MemoryStore()
    feed.add(1)
    reader = FeedReader("https://accounts.example", "key", seen.append, store=store, fetch=feed.fetch)
    assert reader.read() == 0
    feed.add(2, 3, 4, 5, 6)

    assert (reader.read(), reader.read()) == (5, 0)
    feed.add(7)
    again = FeedReader("https://accounts.example/", "key", seen.append, store=store, fetch=feed.fetch)
    assert again.read() == 1

    assert [event.sequence for event in seen] == [2, 3, 4, 5, 6, 7]
    assert feed.requested[0] == "https://accounts.example/userapi/events/?after=latest&limit=200"


def test_an_event_that_was_not_handled_comes_again() -> None:
    feed, seen = Feed(), []

    def fail_once(event: Event) -> None:
        seen.append(event.sequence)
        if len(seen) == 2:
            raise RuntimeError

    reader = FeedReader("https://accounts.example", "key", fail_once, fetch=feed.fetch)
    reader.read()
    feed.add(1, 2)
    with pytest.raises(RuntimeError):
        reader.read()
    reader.read()

    assert seen == [1, 2, 1, 2]


def test_a_reader_whose_position_is_gone_begins_with_what_is_new() -> None:
    feed, seen = Feed(), []
    reader = FeedReader("https://accounts.example", "key", seen.append, fetch=feed.fetch)
    reader.read()
    feed.add(1, 2, 3)
    feed.begins_at = 2
    with pytest.raises(FetchFailed):
        reader.read()
    reader.read()
    feed.add(4)
    reader.read()

    assert [event.sequence for event in seen] == [4]
