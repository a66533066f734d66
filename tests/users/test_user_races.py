"""Parallel requests, with real threads and transactions."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import new_user
from userapi.audit.models import AuditEvent
from userapi.core.db import db

pytestmark = pytest.mark.both

USERS = "/userapi/users/"
Call = Callable[[], TestResponse]


def run_together(*calls: Call) -> list[TestResponse]:
    """The responses to calls that start at the same time."""
    barrier = Barrier(len(calls), timeout=60)

    def run_call(call: Call) -> TestResponse:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run_call, call) for call in calls]]


def prepare_call(app: Flask, make_api_user: ApiUser, method: str, url: str, **options: Any) -> Call:
    """A call with its own client, because a client cannot be shared by threads."""
    return lambda: app.test_client().open(url, method=method, headers=make_api_user.headers, **options)


def test_N01_only_one_of_twelve_parallel_registrations_of_an_email_succeeds(app: Flask, staff: ApiUser) -> None:
    spellings = ["race@example.com", "RACE@example.com", "Race@Example.com"] * 4

    responses = run_together(
        *(lambda email=email: app.test_client().post(USERS, json=new_user(email=email)) for email in spellings)
    )

    assert sorted(response.status_code for response in responses) == [201, *[400] * 11]
    assert {response.get_json()["code"] for response in responses if response.status_code == 400} == {"email_taken"}
    assert len(staff.get(f"{USERS}?search=race@").get_json()["results"]) == 1


def test_N05_parallel_edits_of_different_fields_are_all_kept(app: Flask, user: ApiUser) -> None:
    edits: list[dict[str, Any]] = [
        {"first_name": "Ada"}, {"last_name": "Quill"}, {"username": "quill"}, {"profile": {"city": "Wells"}},
        {"profile": {"zip": "BA5"}}, {"profile": {"country": "Wales"}},
    ]  # fmt: skip

    responses = run_together(*(prepare_call(app, user, "PATCH", user.url, json=edit) for edit in edits))

    assert {response.status_code for response in responses} == {200}
    after = user.get(user.url).get_json()
    assert (after["first_name"], after["last_name"], after["username"]) == ("Ada", "Quill", "quill")
    assert (after["profile"]["city"], after["profile"]["zip"], after["profile"]["country"]) == ("Wells", "BA5", "Wales")


def test_N05_events_of_parallel_edits_of_one_field_follow_from_each_other(
    app: Flask, user: ApiUser, staff: ApiUser
) -> None:
    url = f"{USERS}{user.id}/"
    callers = [user, user, staff] * 4
    edits = [{"profile": {"city": f"City {number}"}} for number, _ in enumerate(callers)]

    responses = run_together(
        *(prepare_call(app, by, "PATCH", url, json=edit) for by, edit in zip(callers, edits, strict=True))
    )

    assert {response.status_code for response in responses} == {200}
    with app.app_context():
        events = db.session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "user.changed").order_by(AuditEvent.id)
        ).all()
    changes = [(event.changes or {})["profile.city"] for event in events]
    assert len(changes) == len(callers)
    assert [before for before, _after in changes[1:]] == [after for _before, after in changes[:-1]]
    assert user.get(url).get_json()["profile"]["city"] == changes[-1][1]


def test_N05_only_one_of_parallel_edits_with_the_same_tag_succeeds(app: Flask, user: ApiUser) -> None:
    tag = user.get(user.url).headers["ETag"]

    def edit(name: str) -> Call:
        headers = {**user.headers, "If-Match": tag}
        return lambda: app.test_client().patch(user.url, json={"first_name": name}, headers=headers)

    responses = run_together(*(edit(f"Name {number}") for number in range(6)))

    assert sorted(response.status_code for response in responses) == [200, *[412] * 5]
    (winner,) = [response for response in responses if response.status_code == 200]
    assert user.get(user.url).data == winner.data


def test_N08_deleting_a_user_during_edits_leaves_nothing_behind(app: Flask, user: ApiUser, staff: ApiUser) -> None:
    calls = [prepare_call(app, staff, "PATCH", user.url, json={"first_name": f"Name {number}"}) for number in range(5)]

    responses = run_together(*calls, prepare_call(app, staff, "DELETE", user.url), *calls[:2])

    assert {response.status_code for response in responses} <= {200, 204, 404}
    assert [response.status_code for response in responses].count(204) == 1
    assert staff.get(user.url).status_code == 404


def test_N10_only_one_of_two_users_can_get_the_same_email(
    app: Flask, user: ApiUser, other_user: ApiUser, staff: ApiUser
) -> None:
    responses = run_together(
        *(
            prepare_call(app, staff, "PATCH", whom.url, json={"email": "wanted@example.com"})
            for whom in (user, other_user)
        )
    )

    assert sorted(response.status_code for response in responses) == [200, 400]


@pytest.mark.parametrize("loss", ["delete", "demote", "deactivate"])
def test_Z16_two_superusers_cannot_remove_each_other_in_parallel(
    app: Flask, make_api_user: Callable[..., ApiUser], staff: ApiUser, loss: str
) -> None:
    one, other = (make_api_user(is_staff=True, is_superuser=True) for _ in range(2))

    def remove(by: ApiUser, whom: ApiUser) -> Call:
        if loss == "delete":
            return prepare_call(app, by, "DELETE", whom.url)
        body = {"is_superuser": False} if loss == "demote" else {"is_active": False}
        return prepare_call(app, by, "PATCH", whom.url, json=body)

    responses = run_together(remove(one, other), remove(other, one))

    assert {response.status_code for response in responses} <= {200, 204, 401, 403, 409}
    rows = staff.get(USERS).get_json()["results"]
    assert len([row for row in rows if row["is_superuser"] and row["is_active"]]) == 1
