"""How long public keys are used, and how often they are fetched."""

import multiprocessing
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from clients.python.tests.issuer import Clock, Issuer, Key
from userapi_client import InvalidToken, KeysUnavailable, Verifier
from userapi_client.key_set import FetchFailed, KeySet, fetch_json


@pytest.fixture
def verifier(issuer: Issuer, clock: Clock) -> Verifier:
    """A verifier whose keys age by the clock of the test."""
    keys = KeySet(f"{issuer.url}/.well-known/jwks.json", clock=clock)
    return Verifier(issuer.url, keys=keys)


def is_accepted(verifier: Verifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except InvalidToken:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_keys_are_fetched_once_and_again_in_the_background(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    token = issuer.token()
    assert [is_accepted(verifier, token) for _ in range(100)] == [True] * 100
    clock.now += 239
    assert is_accepted(verifier, token)
    assert issuer.fetches == 1

    clock.now += 2
    assert is_accepted(verifier, token)
    wait_until(lambda: issuer.fetches == 2)


def test_W32_a_withdrawn_key_is_rejected_within_five_minutes(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    token = issuer.token()
    assert is_accepted(verifier, token)
    issuer.keys = [Key("second")]

    clock.now += 300
    assert not is_accepted(verifier, token)

    issuer.keys = []
    second = issuer.token(Key("second"))
    clock.now += 300
    assert not is_accepted(verifier, second)


@pytest.mark.parametrize("failure", ["status 500", "no JSON", "no key set", "a redirect", "too large", "deep"])
def test_W32_known_keys_are_used_for_a_day_while_the_issuer_fails(
    failure: str, issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    token = issuer.token()
    assert is_accepted(verifier, token)
    issuer.status = {"status 500": 500, "a redirect": 302}.get(failure, 200)
    bodies = {
        "no JSON": b"<html>", "no key set": b'{"keys": {}}', "too large": b" " * 100_000 + b'{"keys": []}',
        "deep": b"[" * 60_000,
    }  # fmt: skip
    issuer.body = bodies.get(failure, b"")

    for _ in range(24):
        clock.now += 3599
        assert is_accepted(verifier, token)
    clock.now += 24

    with pytest.raises(KeysUnavailable):
        verifier.verify(token)
    issuer.status, issuer.body = 200, b""
    clock.now += 30
    assert is_accepted(verifier, token)


def test_without_any_key_the_error_is_not_that_of_the_token(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    token, issuer.status = issuer.token(), 503
    for _ in range(10):
        with pytest.raises(KeysUnavailable) as unavailable:
            verifier.verify(token)
    assert issuer.fetches == 1
    assert (unavailable.value.status, unavailable.value.headers) == (503, {"Retry-After": "5"})

    issuer.status = 200
    clock.now += 5
    assert is_accepted(verifier, token)


def test_a_new_key_is_fetched_when_a_token_names_it(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    assert is_accepted(verifier, issuer.token())
    issuer.keys.append(Key("second"))

    clock.now += 30
    assert is_accepted(verifier, issuer.token(issuer.keys[1]))
    assert issuer.fetches == 2


def test_W32_many_unknown_key_ids_cause_one_fetch_in_half_a_minute(
    issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    valid, (header, body, signature) = issuer.token(), issuer.token().split(".")
    assert is_accepted(verifier, valid)
    clock.now += 31
    key = Key("x")
    unknown = [issuer.token(key, {"kid": f"unknown-{number}"}) for number in range(100)]

    for _ in range(100):
        assert not any(is_accepted(verifier, token) for token in unknown)

    assert issuer.fetches == 2
    clock.now += 30
    assert not is_accepted(verifier, unknown[0])
    assert issuer.fetches == 3
    assert is_accepted(verifier, f"{header}.{body}.{signature}")


@pytest.mark.parametrize("age", [250, 310])
def test_W32_a_slow_issuer_holds_no_request_whose_key_is_known(
    age: int, issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    token, unknown = issuer.token(), issuer.token(Key("x"))
    assert is_accepted(verifier, token)
    clock.now += age
    issuer.answers.clear()
    held = threading.Thread(target=is_accepted, args=(verifier, unknown))
    held.start()
    wait_until(lambda: issuer.fetches == 2)
    clock.now += 1  # what a request waits at most, once, while the keys are not fresh

    started = time.monotonic()
    assert all(is_accepted(verifier, token) for _ in range(100))
    took = time.monotonic() - started

    assert held.is_alive()
    issuer.answers.set()
    held.join()
    assert took < 1


def test_a_fetch_that_never_ends_does_not_keep_others_from_starting(
    issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    token = issuer.token()
    assert is_accepted(verifier, token)
    clock.now += 310
    issuer.answers.clear()
    threading.Thread(target=is_accepted, args=(verifier, token)).start()
    wait_until(lambda: issuer.fetches == 2)

    clock.now += 40
    threading.Thread(target=is_accepted, args=(verifier, token)).start()

    wait_until(lambda: issuer.fetches == 3)
    issuer.answers.set()


def test_a_process_that_is_forked_during_a_fetch_fetches_for_itself() -> None:
    parent, has_begun, ends = os.getpid(), threading.Event(), threading.Event()

    def fetch(_url: str) -> Any:
        if os.getpid() == parent:
            has_begun.set()
            ends.wait(10)
        return {"keys": [key.jwk]}

    def find() -> None:
        sys.exit(0 if keys.find("first") else 1)

    key, keys = Key("first"), KeySet("https://accounts.example/", fetch=fetch)
    waiting = threading.Thread(target=keys.find, args=("first",))
    waiting.start()
    has_begun.wait(10)
    process = multiprocessing.get_context("fork").Process(target=find)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads
        process.start()
    process.join()
    ends.set()
    waiting.join()

    assert process.exitcode == 0


def test_a_document_that_comes_byte_by_byte_is_given_up_in_time() -> None:
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _address = listening.accept()
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for _number in range(60):
                connection.sendall(b" ")
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    with listening, pytest.raises(FetchFailed, match="takes too long"):
        fetch_json(f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=0.3)


def test_keys_of_other_kinds_are_left_out(issuer: Issuer) -> None:
    usable = issuer.keys[0]
    others = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        {**Key("wrong").jwk, "alg": "RS256"},
        {**Key("broken").jwk, "x": "!"},
        {name: value for name, value in Key("").jwk.items() if name != "kid"},
        "text",
    ]
    keys = KeySet(f"{issuer.url}/keys", fetch=lambda _url: {"keys": [*others, usable.jwk]})

    assert keys.find("first") is not None
    assert [keys.find(kid) for kid in ("secret", "wrong", "broken", "")] == [None] * 4


def test_only_urls_of_web_services_are_fetched() -> None:
    with pytest.raises(ValueError, match="not a URL"):
        Verifier("file:///etc/passwd")
