"""The background deliverer: emails are sent by themselves, and no request waits for them."""

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

#: Committed emails wake the deliverer; only other emails wait for the poll, here longer than a test runs.
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
    """Makes applications that deliver their own emails, as a server process does."""
    made = []

    def make_delivering_app(**overrides: str) -> Flask:
        app = make_app(**{"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "MAIL_TIMEOUT": "1", **overrides})
        made.append(app)
        return app

    yield make_delivering_app
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


def test_an_email_is_sent_as_soon_as_it_is_committed(
    serving_app: Callable[..., Flask], sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_loop, "POLL_INTERVAL", NEVER)
    app = serving_app()
    for number in range(1, 4):
        email = sign_up(app)

        assert wait_until(lambda number=number: len(sink.messages) == number)
        assert sink.envelopes[-1][1] == [email]


def test_an_email_queued_by_another_process_is_found_by_polling(
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
def test_a_server_does_not_deliver_if_the_setting_says_so(
    serving_app: Callable[..., Flask], overrides: dict[str, str]
) -> None:
    app = serving_app(**overrides)

    sign_up(app)

    assert LOOP not in app.extensions.get(loop.LOOPS, {})


def test_X08_the_deliverer_survives_a_database_outage(
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
    log_output = ""

    def has_complained() -> bool:
        nonlocal log_output
        log_output += capfd.readouterr().err
        return log_output.count("email delivery interrupted") >= 2

    try:
        assert wait_until(has_complained)
    finally:
        with app.app_context():
            db.session.execute(sa.text("ALTER TABLE elsewhere RENAME TO messages"))
            db.session.commit()
    sign_up(app)

    assert wait_until(lambda: sink.messages)


def test_X08_emails_are_sent_once_the_mail_server_is_back(
    serving_app: Callable[..., Flask], sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_loop, "POLL_INTERVAL", 0.05)
    monkeypatch.setattr("userapi.mail.delivery.FIRST_DELAY", 0.05)
    app = serving_app()
    sink.reply = "451 4.3.0 Try again later"
    email = sign_up(app)
    with app.app_context():
        assert wait_until(lambda: db.session.scalar(sa.text("SELECT attempts FROM messages")) or db.session.rollback())

    sink.reply = None

    assert wait_until(lambda: sink.messages)
    assert sink.envelopes[0][1] == [email]


def request_reset(client: FlaskClient, email: str) -> tuple[int, bytes, list[str], float]:
    began = time.perf_counter()
    response = client.post("/userapi/auth/password/reset/", json={"email": email})
    took = time.perf_counter() - began
    return response.status_code, response.data, sorted(response.headers.keys()), took


@pytest.mark.parametrize("failure", ["down", "hanging", "rejecting"])
def test_D16_F02_X08_a_request_is_equally_fast_and_the_same_whatever_the_mail_server_does(
    serving_app: Callable[..., Flask], make_app: Callable[..., Flask], sink: SmtpSink, failure: str
) -> None:
    if failure == "down":
        app = serving_app(MAIL_PORT=str(free_port()))
    else:
        app = serving_app()
        sink.hanging = failure == "hanging"
        sink.reply = "451 4.3.0 Try again later" if failure == "rejecting" else None
    undisturbed = make_app(MAIL_DELIVERY="none")
    make_user(app, email="wren@example.com")
    clients = {"failing": app.test_client(), "undisturbed": undisturbed.test_client()}

    seen: dict[str, list[tuple[int, bytes, list[str], float]]] = {name: [] for name in clients}
    for _ in range(15):
        for name, client in clients.items():
            seen[name].append(request_reset(client, "wren@example.com"))

    medians = {name: statistics.median(took for *_, took in found) for name, found in seen.items()}
    assert {found[0] for found in seen["failing"]} == {200}
    assert {found[1] for found in seen["failing"]} == {found[1] for found in seen["undisturbed"]}
    assert seen["failing"][0][2] == seen["undisturbed"][0][2]
    assert medians["failing"] < medians["undisturbed"] + 0.1, medians
    with app.app_context():
        tried = "SELECT count(*) FROM messages WHERE attempts > 0 OR last_error IS NOT NULL"
        assert wait_until(lambda: db.session.scalar(sa.text(tried)) or db.session.rollback())


def test_F02_known_and_unknown_addresses_take_equally_long(serving_app: Callable[..., Flask], user: ApiUser) -> None:
    client = serving_app().test_client()
    make_user(client.application, email="wren@example.com")
    known, unknown = [], []
    for _ in range(40):
        known.append(request_reset(client, "wren@example.com"))
        unknown.append(request_reset(client, "unknown@example.com"))

    medians = [statistics.median(took for *_, took in found) for found in (known, unknown)]

    assert {found[:2] for found in known} == {found[:2] for found in unknown}
    assert max(medians) < min(medians) * 2 + 0.005, medians
