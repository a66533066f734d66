"""The activity of your own account: its security events, without what only staff may see."""

from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.support.api_client import ApiUser, sign_in
from tests.support.statement_counter import record_statements
from userapi.audit.activity import TEXTS
from userapi.audit.names import ACTIONS

pytestmark = pytest.mark.both

ACTIVITY = "/userapi/auth/activity/"


def test_the_activity_lists_the_events_of_the_account_newest_first(app: Flask, user: ApiUser) -> None:
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    app.test_client().post("/api-token-auth/", json={"email": user.email, "password": "wrong 7"}, headers=agent)
    user.patch("/userapi/auth/user/", json={"first_name": "Robin", "profile": {"city": "Wells"}})

    changed, failed, started, *_earlier = user.get(ACTIVITY).get_json()["results"]

    assert (changed["action"], changed["source"]) == ("user.changed", "owner")
    assert changed["fields"] == ["first_name", "profile.city"]
    assert (failed["action"], failed["source"], failed["address"]) == ("sign_in.failed", "anonymous", "127.0.0.1")
    assert failed["user_agent"] == agent["User-Agent"]
    assert (started["action"], started["source"]) == ("session.started", "owner")
    assert started["occurred_at"].endswith("Z")


def test_the_activity_names_no_staff_and_no_ip_address_of_theirs(user: ApiUser, superuser: ApiUser) -> None:
    assert superuser.patch(user.url, json={"first_name": "Robin"}).status_code == 200

    response = user.get(f"{ACTIVITY}?limit=1")

    (changed,) = response.get_json()["results"]
    assert (changed["action"], changed["source"]) == ("user.changed", "staff")
    assert changed["address"] is changed["user_agent"] is None
    assert set(changed) == {
        "id", "action", "occurred_at", "source", "address", "user_agent", "key_id", "fields", "application",
    }  # fmt: skip


def test_the_activity_contains_no_event_of_another_account(user: ApiUser, superuser: ApiUser) -> None:
    superuser.patch(user.url, json={"first_name": "Robin"})

    actions = {event["action"] for event in superuser.get(ACTIVITY).get_json()["results"]}

    assert actions == {"session.started"} | (actions & {"user.created"})


def test_the_activity_is_paged_with_two_statements_a_page(app: Flask, user: ApiUser) -> None:
    for _number in range(4):
        sign_in(app, user.email)
    every = user.get(ACTIVITY).get_json()["results"]
    url, collected = f"{ACTIVITY}?limit=2", []

    while url:
        with record_statements(app) as seen:
            page = user.get(url).get_json()
        assert len(seen) == 2, seen
        assert len(page["results"]) <= 2
        collected += page["results"]
        parts = urlsplit(page["next"] or "")
        url = f"{parts.path}?{parts.query}" if page["next"] else ""

    assert collected == every
    assert len(collected) >= 5


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=x", "cursor=WyJpZCIsIm5leHQiLG51bGwsMV0", "x=1"])
def test_an_invalid_page_of_the_activity_is_rejected(user: ApiUser, query: str) -> None:
    assert user.get(f"{ACTIVITY}?{query}").status_code == 400


def test_every_shown_action_is_documented() -> None:
    recorded_by_earlier_versions = {"user.data_exported"}
    assert set(TEXTS) - recorded_by_earlier_versions < set(ACTIONS)
