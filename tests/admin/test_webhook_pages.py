"""Webhooks on the staff site: creating them, what was sent, and sending it again."""

import re
import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support.staff_client import StaffClient, grant_permissions, staff_client
from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.outbound import http_client
from userapi.outbound.limits import Limits
from userapi.users.permission_names import EVERYTHING
from userapi.webhooks import queries
from userapi.webhooks.models import State, WebhookDelivery

LIST = "/admin/webhooks/"
URL = "https://127.0.0.1:1/hook"


@pytest.fixture
def superuser(make_app: Callable[..., Flask]) -> StaffClient:
    """A superuser of a service that may send to this machine."""
    return staff_client(make_app(WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8"), is_staff=True, is_superuser=True)


def create(superuser: StaffClient, *events: str) -> str:
    """Create a webhook; returns the path of its page."""
    response = superuser.post(f"{LIST}new/", url=URL, description="Shop", events=list(events) or ["group.*"])
    assert response.status_code == 303, response.text
    return str(response.headers["Location"])


def deliver(app: Flask, path: str, state: State | None = None) -> int:
    """Let an event happen that the webhook gets; returns the id of its delivery, which ends with a state if given."""
    with app.app_context():
        audit_log.record("group.created", "group", 1)
        db.session.commit()
        (row,) = queries.list_deliveries(webhook_id(path), limit=1)
        if state:
            ended = {"state": state, "ended_at": clock.now(), "due_at": None, "last_status": 500}
            db.session.execute(sa.update(WebhookDelivery).where(WebhookDelivery.id == row.id).values(ended))
            db.session.commit()
        return int(row.id)


def states(app: Flask, path: str) -> list[str]:
    with app.app_context():
        return [row.shown_state for row in queries.list_deliveries(webhook_id(path))]


def webhook_id(path: str) -> uuid.UUID:
    return uuid.UUID(path.rstrip("/").rpartition("/")[2])


def test_a_superuser_creates_and_edits_a_webhook(superuser: StaffClient) -> None:
    path = create(superuser, "user.*", "group.created")

    form = superuser.get(f"{path}edit/").text
    changed = superuser.post(
        f"{path}edit/", url=URL, description="Store", events=["*"], other_events="invoice.paid", include="true"
    )

    assert re.search(r'value="user\.\*" id="[^"]+" checked', form)
    assert changed.status_code == 303
    page = superuser.get(path).text
    assert ">invoice.paid<" in page
    assert ">group.created<" not in page
    assert "Store" in superuser.get(LIST).text


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ({"url": "ftp://shop.example.com/", "events": ["*"]}, "Enter a URL such as"),
        ({"url": URL}, "Choose at least one event."),
        ({"url": URL, "other_events": "user.chnaged"}, "There is no event “user.chnaged”"),
    ],
)
def test_what_is_wrong_is_said_beside_what_was_typed(superuser: StaffClient, sent: dict[str, str], text: str) -> None:
    response = superuser.post(f"{LIST}new/", description="Typed <text>", **sent)

    assert response.status_code == 400
    assert text in response.text
    assert "Typed &lt;text&gt;" in response.text


def test_a_test_shows_what_the_receiver_responded(superuser: StaffClient) -> None:
    path = create(superuser)

    assert superuser.post(f"{path}test/").status_code == 303

    assert "The test failed: The connection failed." in superuser.get(path).text


def test_held_deliveries_are_sent_or_dropped_when_a_webhook_is_enabled(superuser: StaffClient) -> None:
    path = create(superuser)
    for held, expected in (("send", "waiting"), ("drop", "dropped")):
        superuser.post(f"{path}disable/")
        deliver(superuser.app, path)
        assert "held" in superuser.get(path).text
        assert states(superuser.app, path)[0] == "held"

        superuser.post(f"{path}enable/", held=held)

        assert states(superuser.app, path)[0] == expected


def test_a_delivery_and_the_deliveries_of_a_time_are_replayed(superuser: StaffClient) -> None:
    path = create(superuser)
    delivery = f"{path}deliveries/{deliver(superuser.app, path, State.FAILED)}/"
    assert "500" in superuser.get(f"{path}?state=failed").text

    superuser.post(f"{delivery}replay/")
    assert states(superuser.app, path) == ["waiting"]
    deliver(superuser.app, path, State.DELIVERED)
    superuser.post(f"{path}replay/", since="2020-01-01T00:00", state="delivered")

    assert states(superuser.app, path) == ["waiting", "waiting"]
    assert superuser.post(f"{path}replay/", since="yesterday").status_code == 400
    assert superuser.post(f"{path}replay/", since="").status_code == 400


def test_W47_the_secret_is_shown_only_after_a_recent_proof(superuser: StaffClient) -> None:
    path = create(superuser)
    secret = find_secret(superuser, path)

    for page in (LIST, path, f"{path}edit/", f"{path}delete/", f"{path}replay/", "/admin/audit/"):
        assert secret not in superuser.get(page).text, page
    superuser.post(f"{path}rotate/", overlap="0")
    assert find_secret(superuser, path) != secret
    superuser.app.config["FRESH_PROOF_LIFETIME"] = -1

    response = superuser.get(f"{path}secret/")

    assert (response.status_code, "whsec_" in response.text) == (303, False)
    assert response.headers["Location"].startswith("/prove/")


def find_secret(superuser: StaffClient, path: str) -> str:
    """The secret on its page."""
    found = re.search(r"whsec_[^\"<]+", superuser.get(f"{path}secret/").text)
    assert found
    return found[0]


def test_a_webhook_is_deleted(superuser: StaffClient) -> None:
    path = create(superuser)

    assert superuser.post(f"{path}delete/").status_code == 303

    assert superuser.get(path).status_code == 404
    assert superuser.get(LIST).text.count(URL) == 0


@pytest.mark.parametrize(("overlap", "is_shown"), [("0", False), ("3600", True)])
def test_the_page_says_until_when_the_previous_secret_signs(
    superuser: StaffClient, overlap: str, is_shown: bool
) -> None:
    path = create(superuser)
    assert superuser.post(f"{path}rotate/", overlap=overlap).status_code == 303

    assert ("Previous secret signs until" in superuser.get(path).text) is is_shown


def test_tests_of_slow_receivers_leave_threads_of_the_server_to_others(superuser: StaffClient) -> None:
    path = create(superuser)
    superuser.app.extensions["userapi-outbound"] = Limits(1)
    with superuser.app.app_context(), http_client.get_limits(superuser.app).take_turn("webhooks"):
        response = superuser.post(f"{path}test/")

    assert response.status_code == 503


def test_W49_staff_with_every_permission_see_no_webhooks(superuser: StaffClient) -> None:
    path = create(superuser)
    staff = staff_client(superuser.app, is_staff=True)
    grant_permissions(superuser.app, staff.id, *EVERYTHING)

    assert [staff.get(page).status_code for page in (LIST, path, f"{path}secret/")] == [403] * 3
    assert 'href="/admin/webhooks/"' not in staff.get("/admin/").text
    assert 'href="/admin/webhooks/"' in superuser.get("/admin/").text


def test_no_page_is_there_if_webhooks_are_off(make_app: Callable[..., Flask]) -> None:
    superuser = staff_client(make_app(WEBHOOKS="false"), is_staff=True, is_superuser=True)

    assert superuser.get(LIST).status_code == 403
    assert 'href="/admin/webhooks/"' not in superuser.get("/admin/").text
