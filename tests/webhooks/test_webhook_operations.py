"""`/userapi/webhooks/`: superusers create webhooks, test them, see what was sent, and have it sent again."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser
from tests.support.api_keys import KeyHolder, create_key
from tests.support.factories import new_user
from tests.support.openapi import documented_operations
from tests.support.race import run_simultaneously
from tests.support.raw_server import RawServer, raw_server, respond_with
from tests.support.sql import fetch_number
from userapi.core.db import db
from userapi.webhooks import delivery, endpoints, replays

WEBHOOKS = "/userapi/webhooks/"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]+=*")


@pytest.fixture
def receiver(app: Flask) -> Iterator[RawServer]:
    """A receiver on this machine, which events may be sent to."""
    app.config["WEBHOOK_ALLOWED_NETWORKS"] = ("127.0.0.0/8",)
    with raw_server(respond_with(b"thanks")) as server:
        yield server


@pytest.fixture
def create(superuser: ApiUser, receiver: RawServer) -> Callable[..., dict[str, Any]]:
    """Return a function that creates a webhook for the receiver."""

    def post(**fields: Any) -> dict[str, Any]:
        response = superuser.post(WEBHOOKS, json={"url": receiver.url, "events": ["user.*"], **fields})
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.get_json()
        return created

    return post


def url_of(webhook: dict[str, Any], path: str = "") -> str:
    return f"{WEBHOOKS}{webhook['id']}/{path}"


def register(app: Flask) -> int:
    """Cause an event; the id of the new user."""
    response = app.test_client().post("/userapi/users/", json=new_user())
    assert response.status_code == 201
    return int(response.get_json()["id"])


def deliver(app: Flask) -> int:
    """Send what is due."""
    with app.app_context():
        return delivery.deliver_due()


def test_W49_only_superusers_see_and_change_webhooks(
    app: Flask, client: FlaskClient, user: ApiUser, staff: ApiUser, superuser: ApiUser, create: Callable[..., Any]
) -> None:
    webhook = create()
    register(app)
    delivery_id = superuser.get(url_of(webhook, "deliveries/")).get_json()["results"][0]["id"]
    operations = [(method, path) for method, path, _found in documented_operations(app) if path.startswith(WEBHOOKS)]
    assert len(operations) == 12
    for method, path in sorted(operations):  # DELETE of the webhook itself comes last for the superuser
        filled = path.format(webhook_id=webhook["id"], delivery_id=delivery_id)
        body = {"since": "2026-01-01"} if path.endswith("/{webhook_id}/replay/") else {}
        for caller, status in ((client, 401), (user, 403), (staff, 403)):
            assert caller.open(filled, method=method, json=body).status_code == status, (method, path)
    for method, path in operations:
        if method != "DELETE":
            filled = path.format(webhook_id=webhook["id"], delivery_id=delivery_id)
            body = {"since": "2026-01-01"} if path.endswith("/{webhook_id}/replay/") else {}
            expected = (400,) if (method, path) == ("POST", WEBHOOKS) else (200, 202)
            assert superuser.open(filled, method=method, json=body).status_code in expected, (method, path)


def test_W49_an_api_key_needs_the_scope_and_sees_no_secret(
    app: Flask, user: ApiUser, superuser: ApiUser, create: Callable[..., Any]
) -> None:
    webhook, new = create(), {"url": "https://hook.example.com/", "events": ["*"]}
    account = superuser.post("/userapi/service-accounts/", json={"name": "billing"}).get_json()
    created = superuser.post(
        f"/userapi/service-accounts/{account['id']}/keys/", json={"name": "k", "scopes": ["webhooks"]}
    )
    service = KeyHolder(app.test_client(), created.get_json()["id"], created.get_json()["key"])
    holder, other, of_user = (
        create_key(superuser, "webhooks"),
        create_key(superuser, "users"),
        create_key(user, "webhooks"),
    )
    app.config["FRESH_PROOF_LIFETIME"] = 0  # keys need no proof

    for allowed in (holder, service):
        assert allowed.open(WEBHOOKS, method="POST", json=new).status_code == 201
        assert allowed.patch(url_of(webhook), json={"description": "by key"}).status_code == 200
        assert allowed.get(url_of(webhook)).get_json()["description"] == "by key"
        for method, path in (("GET", "secret/"), ("POST", "rotate/")):
            response = allowed.open(url_of(webhook, path), method=method, json={})
            assert (response.status_code, response.get_json()["code"]) == (403, "not_for_api_keys")
    for denied, code in ((other, "insufficient_scope"), (of_user, "permission_denied")):
        for method, url in (("GET", WEBHOOKS), ("POST", WEBHOOKS), ("DELETE", url_of(webhook))):
            response = denied.open(url, method=method, json=new)
            assert (response.status_code, response.get_json()["code"]) == (403, code)


def test_W49_an_api_key_has_users_sent_only_if_it_may_read_them(superuser: ApiUser, create: Callable[..., Any]) -> None:
    thin, full = create(), create(include=["user"])
    new = {"url": "https://hook.example.com/", "events": ["*"], "include": ["user"]}
    for scopes, expected in ((["webhooks"], [403] * 3), (["webhooks", "users"], [201, 200, 200])):
        holder = create_key(superuser, *scopes)
        statuses = [
            holder.open(WEBHOOKS, method="POST", json=new).status_code,
            holder.patch(url_of(full), json={"url": "https://other.example.com/"}).status_code,
            holder.patch(url_of(thin), json={"include": ["user"]}).status_code,
        ]
        assert statuses == expected
        assert holder.patch(url_of(full), json={"description": "by key"}).status_code == 200


def test_a_webhook_is_created_read_changed_and_deleted(superuser: ApiUser, create: Callable[..., Any]) -> None:
    created = create(description="Orders", include=["user"])

    assert superuser.get(url_of(created)).get_json() == created
    assert superuser.get(WEBHOOKS).get_json() == {"results": [created]}
    facts = {"events": ["user.*"], "description": "Orders", "include": ["user"], "active": True, "health": "active"}
    assert {name: created[name] for name in facts} == facts

    changed = superuser.patch(url_of(created), json={"events": ["session.ended", "user.created"], "include": []})
    assert changed.status_code == 200, changed.text
    assert changed.get_json() == {**created, "events": ["session.ended", "user.created"], "include": []}

    assert superuser.delete(url_of(created)).status_code == 204
    assert superuser.get(url_of(created)).status_code == 404
    assert superuser.get(WEBHOOKS).get_json() == {"results": []}


@pytest.mark.parametrize(("length", "status"), [(2000, 201), (2001, 400)])
def test_a_url_has_at_most_2000_characters(superuser: ApiUser, length: int, status: int) -> None:
    url = "https://hook.example.com/".ljust(length, "x")

    assert superuser.post(WEBHOOKS, json={"url": url, "events": ["*"]}).status_code == status


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"url": "http://hook.example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": "https://hook.example.com:22/"}, "url"),
        ({"url": "hook"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["user.vanished"]}, "events"),
        ({"include": ["password"]}, "include"),
        ({"description": "x" * 1000}, "description"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
def test_an_invalid_field_is_named(superuser: ApiUser, sent: dict[str, Any], field: str) -> None:
    response = superuser.post(WEBHOOKS, json={"url": "https://hook.example.com/", "events": ["*"], **sent})

    assert response.status_code == 400
    assert list(response.get_json()["errors"]) == [field]


def test_W47_a_secret_is_shown_only_after_a_recent_proof_and_is_stored_and_logged_nowhere(
    app: Flask, superuser: ApiUser, create: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    webhook = create()
    secret = superuser.get(url_of(webhook, "secret/")).get_json()["secret"]
    rotated = superuser.post(url_of(webhook, "rotate/"), json={"overlap": 60}).get_json()["secret"]
    register(app)
    deliver(app)
    superuser.post(url_of(webhook, "test/"))

    assert SECRET.fullmatch(secret)
    assert SECRET.fullmatch(rotated)
    assert secret != rotated
    shown = [superuser.get(url).text for url in (WEBHOOKS, url_of(webhook), url_of(webhook, "deliveries/"))]
    key = rotated.removeprefix("whsec_")
    logged = [str(vars(record)) for record in caplog.records]
    assert logged
    assert not any("whsec_" in text or key in text for text in (*shown, *logged, *stored_texts(app)))

    app.config["FRESH_PROOF_LIFETIME"] = 0
    own, new = url_of(webhook), {"url": webhook["url"], "events": ["*"]}
    for method, url in (("GET", f"{own}secret/"), ("POST", f"{own}rotate/"), ("PATCH", own), ("POST", WEBHOOKS)):
        response = superuser.open(url, method=method, json=new if url == WEBHOOKS else {})
        assert (response.status_code, response.get_json()["code"]) == (403, "proof_needed"), url
    assert superuser.get(WEBHOOKS).status_code == 200


def stored_texts(app: Flask) -> list[str]:
    """All rows of the tables about webhooks, and of the audit log."""
    tables = ("webhook_endpoints", "webhook_subscriptions", "webhook_deliveries", "webhook_attempts", "audit_events")
    with app.app_context():
        return [str(row) for name in tables for row in db.session.execute(sa.text(f"SELECT * FROM {name}"))]


def test_a_test_is_sent_immediately_and_shows_the_response(superuser: ApiUser, create: Callable[..., Any]) -> None:
    webhook = create()
    accepted = superuser.post(url_of(webhook, "test/")).get_json()
    with raw_server(respond_with(b"no", "410 Gone")) as gone:
        superuser.patch(url_of(webhook), json={"url": gone.url})
        rejected = superuser.post(url_of(webhook, "test/")).get_json()
    failed = superuser.post(url_of(webhook, "test/")).get_json()

    assert {**accepted, "duration_ms": 0} == {
        "accepted": True, "status": 200, "error": None, "duration_ms": 0, "response": "thanks",
    }  # fmt: skip
    assert (rejected["accepted"], rejected["status"], rejected["response"]) == (False, 410, "no")
    assert (failed["accepted"], failed["status"], failed["error"]) == (False, None, "connection_failed")
    assert b'"type":"webhook.test"' in gone.requests[0]
    assert superuser.get(url_of(webhook)).get_json()["active"] is True


@pytest.mark.both
def test_deliveries_are_listed_in_pages_with_their_attempts(
    app: Flask, superuser: ApiUser, receiver: RawServer, create: Callable[..., Any]
) -> None:
    webhook = create(events=["user.created"])
    users = [register(app) for _number in range(3)]
    assert deliver(app) == 3

    first = superuser.get(url_of(webhook, "deliveries/?limit=2")).get_json()
    second = superuser.get(first["next"].removeprefix(app.config["SITE_URL"])).get_json()
    listed = first["results"] + second["results"]
    assert [found["user_id"] for found in listed] == users[::-1]
    assert second["next"] is None
    one = superuser.get(url_of(webhook, f"deliveries/{listed[0]['id']}/")).get_json()
    assert {name: one[name] for name in listed[0]} == listed[0]
    assert (one["type"], one["state"], one["last_status"]) == ("user.created", "delivered", 200)
    assert [(found["accepted"], found["status"], found["response"]) for found in one["attempts"]] == [
        (True, 200, "thanks")
    ]
    assert one["message_id"].encode() in receiver.requests[2]
    assert superuser.get(url_of(webhook, "deliveries/?state=failed")).get_json()["results"] == []
    assert superuser.get(url_of(webhook, "deliveries/?state=lost")).status_code == 400
    other = create()
    assert superuser.get(url_of(other, f"deliveries/{one['id']}/")).status_code == 404


@pytest.mark.both
def test_deliveries_are_replayed_one_by_one_and_by_time(
    app: Flask, superuser: ApiUser, receiver: RawServer, create: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "COOLDOWN", timedelta(0))
    webhook = create(events=["user.created"])
    register(app)
    register(app)
    deliver(app)
    [newest, _oldest] = superuser.get(url_of(webhook, "deliveries/")).get_json()["results"]

    one = superuser.post(url_of(webhook, f"deliveries/{newest['id']}/replay/"))
    deliver(app)
    several = superuser.post(url_of(webhook, "replay/"), json={"since": "2026-01-01", "state": "delivered"})
    none = superuser.post(url_of(webhook, "replay/"), json={"since": "2020-01-01", "until": "2020-01-02T00:00:00Z"})
    deliver(app)

    assert [(found.status_code, found.get_json()["count"]) for found in (one, several, none)] == [
        (202, 1), (202, 2), (202, 0),
    ]  # fmt: skip
    assert sum(newest["message_id"].encode() in request for request in receiver.requests) == 3
    assert len(receiver.requests) == 5
    wrong = superuser.post(url_of(webhook, "replay/"), json={"since": "2026-01-02", "until": "2026-01-01"})
    assert list(wrong.get_json()["errors"]) == ["until"]


@pytest.mark.both
@pytest.mark.parametrize("drop", [False, True])
def test_an_inactive_webhook_keeps_its_events(
    app: Flask, superuser: ApiUser, receiver: RawServer, create: Callable[..., Any], drop: bool
) -> None:
    webhook = create(events=["user.created"], active=False)
    register(app)
    deliver(app)
    [held] = superuser.get(url_of(webhook, "deliveries/")).get_json()["results"]
    assert (webhook["health"], held["state"], receiver.requests) == ("disabled", "held", [])

    changed = superuser.patch(url_of(webhook), json={"active": True, "drop_held": drop}).get_json()
    deliver(app)

    [found] = superuser.get(url_of(webhook, "deliveries/")).get_json()["results"]
    assert (changed["active"], changed["disabled_reason"]) == (True, None)
    assert (found["state"], len(receiver.requests)) == (("dropped", 0) if drop else ("delivered", 1))
    assert superuser.patch(url_of(webhook), json={"active": False, "drop_held": drop}).get_json()["active"] is False


def test_without_webhooks_every_operation_says_so(app: Flask, superuser: ApiUser, client: FlaskClient) -> None:
    app.config["WEBHOOKS"] = False

    for method in ("GET", "POST"):
        response = superuser.open(WEBHOOKS, method=method, json={"url": "https://hook.example.com/", "events": ["*"]})
        assert (response.status_code, response.get_json()["code"]) == (403, "webhooks_off")
    assert client.get(WEBHOOKS).status_code == 401
    assert fetch_number(app, "SELECT count(*) FROM webhook_endpoints") == 0


@pytest.mark.both
def test_the_maximum_number_of_webhooks_is_kept_when_several_are_created_at_the_same_time(
    superuser: ApiUser, receiver: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "MAX_ENDPOINTS", 2)

    def create() -> int:
        return superuser.post(WEBHOOKS, json={"url": receiver.url, "events": ["*"]}).status_code

    assert sorted(run_simultaneously([create] * 6)) == [201, 201, 409, 409, 409, 409]
