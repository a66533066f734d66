"""Clients that send many sign-ins at the same time: others get their turn between them."""

import base64
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from flask import Flask

from tests.support.factories import PASSWORD, make_account, new_user
from tests.support.race import run_simultaneously
from tests.support.stored_hashes import store_hash
from tests.support.waiting import wait_until

MakeApp = Callable[..., Flask]

#: The default cost of new hashes.
USUAL = {"PASSWORD_HASH_MEMORY": "19456", "PASSWORD_HASH_TIME": "2", "PASSWORD_HASH_CONCURRENCY": "1"}


def django_hash(password: str, rounds: int) -> str:
    """A hash as created by Django."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"pepper", rounds)
    return f"pbkdf2_sha256${rounds}$pepper${base64.b64encode(digest).decode()}"


def sign_in(app: Flask, email: str, password: str = PASSWORD, ip: str = "192.0.2.1") -> int:
    credentials = {"email": email, "password": password}
    environ = {"REMOTE_ADDR": ip}
    return app.test_client().post("/api-token-auth/", json=credentials, environ_overrides=environ).status_code


@contextmanager
def guessing(app: Flask, emails: list[str], connections: int) -> Iterator[list[int]]:
    """Let one client guess passwords over many connections while the block runs; yields the response statuses."""
    statuses: list[int] = []
    ended, chosen = threading.Event(), itertools.cycle(emails)

    def guess() -> None:
        while not ended.is_set():
            statuses.append(sign_in(app, next(chosen), "not the password", ip="198.51.100.66"))
            if statuses[-1] == 503:
                time.sleep(0.05)

    with ThreadPoolExecutor(connections) as pool:
        for _connection in range(connections):
            pool.submit(guess)
        try:
            wait_until(lambda: len(statuses) > 3)
            yield statuses
        finally:
            ended.set()


def test_P18_ten_parallel_registrations_from_one_client_all_succeed(make_app: MakeApp) -> None:
    app = make_app(**USUAL, WORKER_THREADS="4")

    def register() -> int:
        return app.test_client().post("/userapi/users/", json=new_user()).status_code

    assert run_simultaneously([register] * 10) == [201] * 10


def test_P18_a_client_with_many_connections_does_not_starve_others(make_app: MakeApp) -> None:
    app = make_app(**USUAL, WORKER_THREADS="4")
    email = make_account(app)

    with guessing(app, [email], connections=30) as guesses:
        responses = [sign_in(app, email, ip=f"192.0.2.{number}") for number in range(12)]

    assert responses.count(200) >= 10
    assert set(guesses) == {401, 503}


def test_P18_guesses_at_expensive_hashes_do_not_block_other_clients(make_app: MakeApp) -> None:
    app = make_app(**USUAL)
    own, imported, targets = make_account(app), make_account(app), [make_account(app) for _ in range(12)]
    for email in targets:
        store_hash(app, email, django_hash("of no account", 400_000))
    store_hash(app, imported, django_hash(PASSWORD, 400_000))

    with guessing(app, targets, connections=12) as guesses:
        responses = [sign_in(app, own, ip=f"192.0.2.{number}") for number in range(6)]
        of_imported = sign_in(app, imported, ip="192.0.2.20")

    assert responses.count(200) >= 5
    assert of_imported == 200
    assert set(guesses) <= {401, 503}
