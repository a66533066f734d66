"""The deliverer of one machine: letters leave by themselves, and no request waits for them."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from processes import free_port

from tests.support.api_client import ApiUser
from tests.support.factories import make_user, new_user
from tests.support.servers import SmtpSink
from userapi.core import loop
from userapi.core.db import db
from userapi.mail import delivery_loop
from userapi.mail.queue import LOOP

pytestmark = pytest.mark.both

#: Letters are woken for at once; who is left to a look into the outbox waits longer than a test does.
NEVER = 3600.0

TIMEOUT = 15.0


def wait_until(condition: Callable[[], object], timeout: float = TIMEOUT) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def serving_app(make_app: Callable[..., Flask], sink: SmtpSink) -> Iterator[Callable[..., Flask]]:
    """A maker of applications that deliver their own mail, as a server process does."""
    made = []

    def make(**overrides: str) -> Flask:
        app = make_app(**{"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "MAIL_TIMEOUT": "1", **overrides})
        made.append(app)
        return app

    yield make
    sink.hanging = False
    for app in made:
        found = app.extensions.get(loop.LOOPS, {}).get(LOOP)
        if found is not None:
            found.stop()


def sign_up(app: Flask, **overrides: Any) -> str:
    wanted = new_user(**overrides)
    response = app.test_client().post("/userapi/users/", json=wanted)
    assert response.status_code == 201, response.text
    return str(wanted["email"])


def is_running(app: Flask) -> bool:
    return app.extensions[loop.LOOPS][LOOP].is_running()


def test_a_letter_leaves_as_soon_as_it_is_committed(
    serving_app: Callable[..., Flask], sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_loop, "POLL_INTERVAL", NEVER)
    app = serving_app()
    for number in range(1, 4):
        email = sign_up(app)

        assert wait_until(lambda number=number: len(sink.messages) == number)
        assert sink.envelopes[-1][1] == [email]


def test_a_letter_that_somebody_else_wrote_is_found_in_a_while(
    serving_app: Callable[..., Flask], make_app: Callable[..., Flask], sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_loop, "POLL_INTERVAL", 0.05)
    app = serving_app()
    assert app.test_client().get("/healthz").status_code == 200

    sign_up(make_app())

    assert wait_until(lambda: sink.messages)


def test_a_server_delivers_and_a_command_does_not(serving_app: Callable[..., Flask]) -> None:
    app = serving_app()

    app.test_cli_runner().invoke(args=["mail", "list"])
    before = is_running(app)
    app.test_client().get("/healthz")

    assert (before, is_running(app)) == (False, True)


@pytest.mark.parametrize("overrides", [{"MAIL_DELIVERY": "none"}, {"MAIL_SERVER": ""}])
def test_a_server_leaves_delivery_to_others_when_told_to(
    serving_app: Callable[..., Flask], overrides: dict[str, str]
) -> None:
    app = serving_app(**overrides)

    sign_up(app)

    assert LOOP not in app.extensions.get(loop.LOOPS, {})


def test_X08_a_database_that_is_away_for_a_while_does_not_end_the_deliverer(
    serving_app: Callable[..., Flask],
    sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(delivery_loop, "POLL_INTERVAL", 0.05)
    app = serving_app()
    app.test_client().get("/healthz")
    with app.app_context():
        db.session.execute(sa.text("ALTER TABLE messages RENAME TO elsewhere"))
        db.session.commit()
    told = ""

    def complained() -> bool:
        nonlocal told
        told += capfd.readouterr().err
        return told.count("email delivery interrupted") >= 2

    try:
        assert wait_until(complained)
    finally:
        with app.app_context():
            db.session.execute(sa.text("ALTER TABLE elsewhere RENAME TO messages"))
            db.session.commit()
    sign_up(app)

    assert wait_until(lambda: sink.messages)


def test_X08_letters_leave_by_themselves_once_the_mail_server_is_back(
    serving_app: Callable[..., Flask], sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_loop, "POLL_INTERVAL", 0.05)
    monkeypatch.setattr("userapi.mail.delivery.FIRST_DELAY", 0.05)
    app = serving_app()
    sink.answer = "451 4.3.0 Try again later"
    email = sign_up(app)
    with app.app_context():
        assert wait_until(lambda: db.session.scalar(sa.text("SELECT attempts FROM messages")) or db.session.rollback())

    sink.answer = None

    assert wait_until(lambda: sink.messages)
    assert sink.envelopes[0][1] == [email]


def answers(client: FlaskClient, email: str) -> tuple[int, bytes, list[str], float]:
    began = time.perf_counter()
    response = client.post("/userapi/auth/password/reset/", json={"email": email})
    took = time.perf_counter() - began
    return response.status_code, response.data, sorted(response.headers.keys()), took


@pytest.mark.parametrize("trouble", ["down", "hanging", "refusing"])
def test_D16_F02_X08_a_request_is_as_fast_and_the_same_whatever_the_mail_server_does(
    serving_app: Callable[..., Flask], make_app: Callable[..., Flask], sink: SmtpSink, trouble: str
) -> None:
    if trouble == "down":
        app = serving_app(MAIL_PORT=str(free_port()))
    else:
        app = serving_app()
        sink.hanging = trouble == "hanging"
        sink.answer = "451 4.3.0 Try again later" if trouble == "refusing" else None
    undisturbed = make_app(MAIL_DELIVERY="none")
    make_user(app, email="wren@example.com")
    clients = {"troubled": app.test_client(), "undisturbed": undisturbed.test_client()}

    seen: dict[str, list[tuple[int, bytes, list[str], float]]] = {name: [] for name in clients}
    for _ in range(15):
        for name, client in clients.items():
            seen[name].append(answers(client, "wren@example.com"))

    medians = {name: statistics.median(took for *_, took in found) for name, found in seen.items()}
    assert {found[0] for found in seen["troubled"]} == {200}
    assert {found[1] for found in seen["troubled"]} == {found[1] for found in seen["undisturbed"]}
    assert seen["troubled"][0][2] == seen["undisturbed"][0][2]
    assert medians["troubled"] < medians["undisturbed"] + 0.1, medians
    with app.app_context():
        tried = "SELECT count(*) FROM messages WHERE attempts > 0 OR last_error IS NOT NULL"
        assert wait_until(lambda: db.session.scalar(sa.text(tried)) or db.session.rollback())


def test_F02_an_unknown_address_takes_as_long_as_a_known_one(serving_app: Callable[..., Flask], user: ApiUser) -> None:
    client = serving_app().test_client()
    make_user(client.application, email="wren@example.com")
    known, unknown = [], []
    for _ in range(40):
        known.append(answers(client, "wren@example.com"))
        unknown.append(answers(client, "nobody@example.com"))

    medians = [statistics.median(took for *_, took in found) for found in (known, unknown)]

    assert {found[:2] for found in known} == {found[:2] for found in unknown}
    assert max(medians) < min(medians) * 2 + 0.005, medians
