"""More sign-ins than can be hashed: clients take turns, the rest get 503, and other requests are served."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from flask import Flask
from werkzeug.test import TestResponse

from tests.support.api_client import ApiUser
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.hash_queue import full_queue
from tests.support.race import run_simultaneously
from userapi.security import hashing_threads
from userapi.security.hashing_threads import HASHING_TIMEOUT

MakeApp = Callable[..., Flask]

PARALLEL = 50

#: The default cost of new hashes.
USUAL = {"PASSWORD_HASH_MEMORY": "19456", "PASSWORD_HASH_TIME": "2", "PASSWORD_HASH_CONCURRENCY": "1"}


def account(app: Flask) -> str:
    email = str(new_user()["email"])
    make_user(app, email=email)
    return email


def sign_in(app: Flask, email: str, password: str = PASSWORD) -> TestResponse:
    return app.test_client().post("/api-token-auth/", json={"email": email, "password": password})


def test_P18_sign_ins_beyond_the_limit_get_503_and_other_requests_are_served(make_app: MakeApp) -> None:
    app = make_app(**USUAL)
    email = account(app)
    barrier = Barrier(PARALLEL + 1, timeout=60)

    def attempt(_number: int) -> TestResponse:
        barrier.wait()
        return sign_in(app, email)

    with ThreadPoolExecutor(PARALLEL) as pool:
        running = [pool.submit(attempt, number) for number in range(PARALLEL)]
        barrier.wait()
        started = time.monotonic()
        assert app.test_client().get("/userapi/").status_code == 200
        others_waited = time.monotonic() - started
        responses = [future.result() for future in running]

    assert others_waited < HASHING_TIMEOUT / 2
    assert {response.status_code for response in responses} == {200, 503}
    for rejected in (response for response in responses if response.status_code == 503):
        assert rejected.get_json()["code"] == "unavailable"
        assert int(rejected.headers["Retry-After"]) >= 1
    assert sign_in(app, email).status_code == 200


def test_P18_a_sign_in_without_a_free_slot_does_not_count_as_a_failure(make_app: MakeApp) -> None:
    app = make_app(RATELIMIT_ENABLED="true", RATELIMIT_SIGN_IN_PAIR="1 per hour", PASSWORD_HASH_CONCURRENCY="1")
    email = account(app)

    with full_queue(hashing_threads.get_hashing(app).normal.queue):
        assert [sign_in(app, email, "wrong").status_code for _ in range(3)] == [503] * 3

    assert sign_in(app, email).status_code == 200
    assert [sign_in(app, email, "wrong").status_code for _ in range(2)] == [401, 429]


def test_requests_waiting_for_a_connection_get_the_next_free_one(user: ApiUser) -> None:
    def read_repeatedly() -> set[int]:
        return {user.get(user.url).status_code for _again in range(10)}

    assert run_simultaneously([read_repeatedly] * 40) == [{200}] * 40
