"""Two at once: real threads, real transactions."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import new_user

pytestmark = pytest.mark.both

USERS = "/userapi/users/"
Call = Callable[[], TestResponse]


def at_once(*calls: Call) -> list[TestResponse]:
    """The answers to calls that start together."""
    barrier = Barrier(len(calls))

    def start(call: Call) -> TestResponse:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(start, call) for call in calls]]


def fresh(app: Flask, make_api_user: ApiUser, method: str, url: str, **options: Any) -> Call:
    """A call of a person's through a client of its own, since one client is not for two threads."""
    return lambda: app.test_client().open(url, method=method, headers=make_api_user.headers, **options)


def test_N01_of_twelve_registrations_of_one_address_one_wins(app: Flask, staff: ApiUser) -> None:
    spellings = ["race@example.com", "RACE@example.com", "Race@Example.com"] * 4

    answers = at_once(
        *(lambda email=email: app.test_client().post(USERS, json=new_user(email=email)) for email in spellings)
    )

    assert sorted(answer.status_code for answer in answers) == [201, *[400] * 11]
    assert {answer.get_json()["code"] for answer in answers if answer.status_code == 400} == {"email_taken"}
    assert len(staff.get(f"{USERS}?search=race@").get_json()["results"]) == 1


def test_N05_edits_of_different_fields_all_survive(app: Flask, user: ApiUser) -> None:
    edits: list[dict[str, Any]] = [
        {"first_name": "Ada"}, {"last_name": "Quill"}, {"username": "quill"}, {"profile": {"city": "Wells"}},
        {"profile": {"zip": "BA5"}}, {"profile": {"country": "Wales"}},
    ]  # fmt: skip

    answers = at_once(*(fresh(app, user, "PATCH", user.url, json=edit) for edit in edits))

    assert {answer.status_code for answer in answers} == {200}
    after = user.get(user.url).get_json()
    assert (after["first_name"], after["last_name"], after["username"]) == ("Ada", "Quill", "quill")
    assert (after["profile"]["city"], after["profile"]["zip"], after["profile"]["country"]) == ("Wells", "BA5", "Wales")


def test_N05_of_edits_with_one_tag_one_wins(app: Flask, user: ApiUser) -> None:
    tag = user.get(user.url).headers["ETag"]

    def edit(name: str) -> Call:
        headers = {**user.headers, "If-Match": tag}
        return lambda: app.test_client().patch(user.url, json={"first_name": name}, headers=headers)

    answers = at_once(*(edit(f"Name {number}") for number in range(6)))

    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 5]
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    assert user.get(user.url).data == winner.data


def test_N08_a_deletion_among_edits_leaves_nothing_and_breaks_nothing(
    app: Flask, user: ApiUser, staff: ApiUser
) -> None:
    calls = [fresh(app, staff, "PATCH", user.url, json={"first_name": f"Name {number}"}) for number in range(5)]

    answers = at_once(*calls, fresh(app, staff, "DELETE", user.url), *calls[:2])

    assert {answer.status_code for answer in answers} <= {200, 204, 404}
    assert [answer.status_code for answer in answers].count(204) == 1
    assert staff.get(user.url).status_code == 404


def test_N10_of_two_users_who_are_given_one_address_one_gets_it(
    app: Flask, user: ApiUser, other_user: ApiUser, staff: ApiUser
) -> None:
    answers = at_once(
        *(fresh(app, staff, "PATCH", whom.url, json={"email": "wanted@example.com"}) for whom in (user, other_user))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 400]


@pytest.mark.parametrize("loss", ["delete", "demote", "deactivate"])
def test_Z16_two_superusers_do_not_remove_each_other(
    app: Flask, make_api_user: Callable[..., ApiUser], staff: ApiUser, loss: str
) -> None:
    one, other = (make_api_user(is_staff=True, is_superuser=True) for _ in range(2))

    def remove(by: ApiUser, whom: ApiUser) -> Call:
        if loss == "delete":
            return fresh(app, by, "DELETE", whom.url)
        body = {"is_superuser": False} if loss == "demote" else {"is_active": False}
        return fresh(app, by, "PATCH", whom.url, json=body)

    answers = at_once(remove(one, other), remove(other, one))

    assert {answer.status_code for answer in answers} <= {200, 204, 401, 403, 409}
    rows = staff.get(USERS).get_json()["results"]
    assert len([row for row in rows if row["is_superuser"] and row["is_active"]]) == 1
