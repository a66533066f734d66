"""Letters on their way: a real mail server that works, refuses, hangs, is down, or is not to be trusted."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import inbox
import pytest
import services
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from factories import new_user
from flask import Flask
from services import SmtpSink

from userapi.core import clock
from userapi.core.db import db
from userapi.mail import letters, queries
from userapi.mail.delivery import LONGEST_DELAY, Counts, delay, deliver_due
from userapi.mail.models import Message

TOKEN = "t0ken-of-the-letter"


def write(app: Flask, *recipients: str, name: str = "Wren") -> None:
    with app.app_context():
        for recipient in recipients or ("wren@example.com",):
            link = f"http://accounts.example.com/verify-email/{TOKEN}/"
            letters.verify_email(recipient=recipient, name=name, link=link, secret=TOKEN)
        db.session.commit()


def deliver(app: Flask, limit: int = 1000) -> Counts:
    with app.app_context():
        return deliver_due(limit)


def stored(app: Flask) -> list[Message]:
    with app.app_context():
        found = list(db.session.scalars(sa.select(Message).order_by(Message.id)))
        db.session.expunge_all()
        return found


def recipients(sink: SmtpSink) -> list[str]:
    return sorted(recipient for _, found in sink.envelopes for recipient in found)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Turns the clock on, from the present moment."""

    def turn(by: timedelta) -> None:
        moment = datetime.now(UTC) + by
        monkeypatch.setattr(clock, "now", lambda: moment)

    return turn


# --- What arrives -----------------------------------------------------------------------------------------


def test_M02_one_recipient_and_the_headers_that_mail_wants(make_app: Callable[..., Flask], sink: SmtpSink) -> None:
    app = make_app(
        MAIL_SERVER=sink.host,
        MAIL_PORT=str(sink.port),
        MAIL_DEFAULT_SENDER="Ärzte & Co <no-reply@example.org>",
        MAIL_DELIVERY="none",
    )
    write(app, "Wren.Okafor@example.com", name="Zoë")

    deliver(app)

    (message,) = sink.messages
    (row,) = stored(app)
    assert sink.envelopes == [("no-reply@example.org", ["Wren.Okafor@example.com"])]
    assert message["To"] == "Wren.Okafor@example.com"
    assert message["From"] == "Ärzte & Co <no-reply@example.org>"
    assert message["Message-ID"] == f"<{row.message_id}@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]) == row.created_at.replace(microsecond=0)
    raw = message.as_bytes()
    assert b"=?utf-8?" in raw.partition(b"\n\n")[0]
    assert raw.isascii()
    assert max(map(len, raw.splitlines())) <= 100
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        assert "Hello Zoë," in part.get_content()
        assert TOKEN in part.get_content()


def test_M08_an_internationalised_domain_is_written_to_by_its_own_name(mail_app: Flask, sink: SmtpSink) -> None:
    wanted = new_user(email="wren@straße.de")
    assert mail_app.test_client().post("/userapi/users/", json=wanted).status_code == 201

    counts = deliver(mail_app)

    assert counts == Counts(sent=1)
    assert recipients(sink) == ["wren@xn--strae-oqa.de"]


def test_M08_an_address_that_needs_smtputf8_is_refused_at_registration_or_given_up(
    mail_app: Flask, sink: SmtpSink
) -> None:
    refused = mail_app.test_client().post("/userapi/users/", json=new_user(email="zoë@example.com"))
    write(mail_app, "zoë@example.com", "wren@example.com")

    counts = deliver(mail_app)

    assert refused.status_code == 400
    assert counts == Counts(sent=1, given_up=1)
    assert recipients(sink) == ["wren@example.com"]


def test_what_was_sent_keeps_no_secret(mail_app: Flask, sink: SmtpSink) -> None:
    write(mail_app)
    assert TOKEN in stored(mail_app)[0].text

    deliver(mail_app)

    (row,) = stored(mail_app)
    assert row.sent_at is not None
    assert row.due_at is None
    assert row.secret is None
    assert TOKEN not in row.text + row.html
    assert "/verify-email/…/" in row.text


def test_without_a_mail_server_letters_are_kept_and_their_links_work(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    wanted = new_user()
    assert app.test_client().post("/userapi/users/", json=wanted).status_code == 201

    counts = deliver(app)

    assert counts == Counts()
    (letter,) = inbox.letters_to(app, wanted["email"])
    confirmed = app.test_client().post("/userapi/auth/email/verify/", json={"token": letter.token})
    assert confirmed.status_code == 200


class Talkative(SmtpSink):
    """Repeats in its answers whom it is told to write to."""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await super().handle_RCPT(server, session, envelope, address, options)
        return answer if answer.startswith("250") else f"550 5.1.1 No mailbox for <{address}>"


def test_M04_the_log_names_neither_recipient_nor_secret(
    make_app: Callable[..., Flask], capfd: pytest.CaptureFixture[str]
) -> None:
    with services.smtp_sink(Talkative) as sink:
        app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none")
        write(app, "wren@example.com", "gone@example.com")
        sink.refused_recipients.add("gone@example.com")

        deliver(app)

    told = capfd.readouterr().err
    assert told.count("letter sent") == 1
    assert told.count("letter given up") == 1
    assert "No mailbox for <…>" in told
    assert TOKEN not in told
    assert "@example.com" not in told


# --- What does not ----------------------------------------------------------------------------------------


def test_M06_a_refused_recipient_is_given_up_at_once_and_holds_up_nobody(mail_app: Flask, sink: SmtpSink) -> None:
    sink.refused_recipients.add("gone@example.com")
    write(mail_app, "first@example.com", "gone@example.com", "last@example.com")

    counts = deliver(mail_app)

    assert counts == Counts(sent=2, given_up=1)
    assert recipients(sink) == ["first@example.com", "last@example.com"]
    refused = stored(mail_app)[1]
    assert (refused.attempts, refused.due_at) == (1, None)
    assert refused.given_up_at is not None
    assert refused.last_error == "550 5.1.1 No such mailbox"
    assert refused.secret == TOKEN


def test_M06_a_refused_content_is_given_up_at_once_and_quoted_without_the_secret(
    mail_app: Flask, sink: SmtpSink
) -> None:
    sink.answer = f"554 5.7.1 We do not like /verify-email/{TOKEN}/"
    write(mail_app)

    counts = deliver(mail_app)

    assert counts == Counts(given_up=1)
    assert stored(mail_app)[0].last_error == "554 5.7.1 We do not like /verify-email/…/"


def test_M06_a_temporary_refusal_is_tried_again_with_growing_delays_until_it_is_given_up(
    make_app: Callable[..., Flask], sink: SmtpSink, later: Callable[[timedelta], None]
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_MAX_ATTEMPTS="5", MAIL_DELIVERY="none")
    write(app)
    sink.answer = "451 4.3.0 Try again later"
    delays, now = [], timedelta()
    for _ in range(4):
        later(now)
        assert deliver(app) == Counts(delayed=1)
        assert deliver(app) == Counts()
        due_at = stored(app)[0].due_at
        assert due_at is not None
        delays.append(due_at - clock.now())
        now += delays[-1] + timedelta(seconds=1)

    later(now)
    last = deliver(app)

    assert last == Counts(given_up=1)
    assert delays == sorted(delays)
    (row,) = stored(app)
    assert (row.attempts, row.due_at, row.last_error) == (5, None, "451 4.3.0 Try again later")
    later(timedelta(days=365))
    assert deliver(app) == Counts()


def test_M06_delays_double_up_to_an_hour_and_differ_from_letter_to_letter() -> None:
    for attempts in range(1, 101):
        drawn = [delay(attempts).total_seconds() for _ in range(20)]
        middle = min(5 * 2 ** (attempts - 1), LONGEST_DELAY)
        assert middle * 0.75 <= min(drawn) < max(drawn) <= middle * 1.25


def test_X08_what_waited_for_a_mail_server_that_was_down_is_sent_after_its_recovery(
    make_app: Callable[..., Flask], later: Callable[[timedelta], None]
) -> None:
    port = services.free_port()
    app = make_app(MAIL_SERVER="127.0.0.1", MAIL_PORT=str(port), MAIL_DELIVERY="none")
    write(app, *(f"person{number}@example.com" for number in range(5)))

    down = deliver(app)

    assert down == Counts(delayed=1, unreachable=True)  # one letter is enough to find out
    assert "ConnectionRefusedError" in str(stored(app)[0].last_error)
    with services.smtp_sink(port=port) as sink:
        later(timedelta(minutes=1))
        assert deliver(app) == Counts(sent=5)
        assert len(recipients(sink)) == 5
        assert stored(app)[0].last_error is None


def test_X08_a_mail_server_that_hangs_is_left_after_the_timeout(make_app: Callable[..., Flask], sink: SmtpSink) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_TIMEOUT="1", MAIL_DELIVERY="none")
    write(app, "first@example.com", "last@example.com")
    sink.hanging = True

    began = time.monotonic()
    counts = deliver(app)
    took = time.monotonic() - began

    sink.hanging = False
    assert counts == Counts(delayed=1, unreachable=True)
    assert took < 8
    assert "timed out" in str(stored(app)[0].last_error)


def test_X08_a_mail_server_that_never_greets_is_left_after_the_timeout(make_app: Callable[..., Flask]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        app = make_app(MAIL_SERVER="127.0.0.1", MAIL_PORT=str(port), MAIL_TIMEOUT="1", MAIL_DELIVERY="none")
        write(app)

        began = time.monotonic()
        counts = deliver(app)
        took = time.monotonic() - began

    assert counts == Counts(delayed=1, unreachable=True)
    assert took < 8


def only_us(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword) -> AuthResult:
    return AuthResult(success=given.login == b"us" and given.password == b"right", handled=False)


def test_a_wrong_password_for_the_mail_server_delays_letters_and_loses_none(
    make_app: Callable[..., Flask], later: Callable[[timedelta], None]
) -> None:
    with services.smtp_sink(authenticator=only_us, auth_require_tls=False) as sink:
        server = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "MAIL_USERNAME": "us", "MAIL_DELIVERY": "none"}
        app = make_app(**server, MAIL_PASSWORD="wrong")
        write(app, "first@example.com", "last@example.com")

        counts = deliver(app)

        assert counts == Counts(delayed=1, unreachable=True)
        assert str(stored(app)[0].last_error).startswith("535 ")
        later(timedelta(minutes=1))
        assert deliver(make_app(**server, MAIL_PASSWORD="right")) == Counts(sent=2)


# --- Several deliverers -----------------------------------------------------------------------------------


def test_X10_a_letter_whose_deliverer_died_is_sent_when_its_lease_is_over(
    mail_app: Flask, sink: SmtpSink, later: Callable[[timedelta], None]
) -> None:
    write(mail_app)
    with mail_app.app_context():
        claimed = queries.claim(clock.now(), timedelta(seconds=30))
        db.session.commit()
    assert claimed is not None

    during = deliver(mail_app)
    later(timedelta(seconds=31))
    after = deliver(mail_app)

    assert (during, after) == (Counts(), Counts(sent=1))
    assert sink.messages[0]["Message-ID"] == f"<{claimed.message_id}@accounts.example.com>"


def test_X10_a_letter_that_kills_its_deliverers_is_given_up(
    make_app: Callable[..., Flask], sink: SmtpSink, later: Callable[[timedelta], None]
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_MAX_ATTEMPTS="2", MAIL_DELIVERY="none")
    write(app)
    for minute in range(2):
        later(timedelta(minutes=minute))
        with app.app_context():
            assert queries.claim(clock.now(), timedelta(seconds=30)) is not None
            db.session.commit()
    later(timedelta(minutes=2))

    counts = deliver(app)

    assert counts == Counts(given_up=1)
    assert sink.messages == []


def test_M06_a_deliverer_that_overslept_its_lease_does_not_overrule_the_next(mail_app: Flask, sink: SmtpSink) -> None:
    write(mail_app)
    with mail_app.app_context():
        first = queries.claim(clock.now(), timedelta(seconds=-1))
        second = queries.claim(clock.now(), timedelta(seconds=30))
        db.session.commit()
        assert first is not None
        assert second is not None

        late = queries.settle(first, given_up_at=clock.now(), due_at=None)
        in_time = queries.settle(second, sent_at=clock.now(), due_at=None)
        db.session.commit()

    assert (late, in_time) == (False, True)
    assert stored(mail_app)[0].given_up_at is None


def test_M06_several_deliverers_at_once_send_each_letter_once(mail_app: Flask, sink: SmtpSink) -> None:
    everybody = sorted(f"person{number}@example.com" for number in range(60))
    write(mail_app, *everybody)
    totals: list[Counts] = []
    gate = threading.Barrier(4)

    def work() -> None:
        gate.wait()
        totals.append(deliver(mail_app))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert recipients(sink) == everybody
    assert sum(counts.sent for counts in totals) == 60
    assert [row.attempts for row in stored(mail_app)] == [1] * 60
    assert sum(counts.sent > 0 for counts in totals) > 1


# --- Whom we talk to --------------------------------------------------------------------------------------


@contextmanager
def tls_sink(folder: Path, *, from_the_start: bool, name: str = "localhost") -> Iterator[SmtpSink]:
    """A mail server with a certificate that only the file `certificate.pem` in the folder vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "both.pem").write_bytes(
        pem
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    options: dict[str, Any] = {"ssl_context": context} if from_the_start else {"tls_context": context}
    with services.smtp_sink(**options) as sink:
        yield sink


MODES = pytest.mark.parametrize(
    ("setting", "from_the_start"), [("MAIL_USE_TLS", False), ("MAIL_USE_SSL", True)], ids=["STARTTLS", "TLS"]
)


@MODES
def test_M09_a_letter_goes_to_a_mail_server_whose_certificate_is_good(
    make_app: Callable[..., Flask],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    from_the_start: bool,
) -> None:
    with tls_sink(tmp_path, from_the_start=from_the_start) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        app = make_app(MAIL_SERVER="localhost", MAIL_PORT=str(sink.port), MAIL_DELIVERY="none", **{setting: "true"})
        write(app)

        counts = deliver(app)

        assert counts == Counts(sent=1)
        assert len(sink.messages) == 1


@MODES
@pytest.mark.parametrize("fault", ["unknown issuer", "another name"])
def test_M09_no_letter_goes_to_a_mail_server_whose_certificate_is_bad(
    make_app: Callable[..., Flask],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    setting: str,
    from_the_start: bool,
    fault: str,
) -> None:
    name = "localhost" if fault == "unknown issuer" else "mail.example.com"
    with tls_sink(tmp_path, from_the_start=from_the_start, name=name) as sink:
        if fault == "another name":
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        app = make_app(MAIL_SERVER="localhost", MAIL_PORT=str(sink.port), MAIL_DELIVERY="none", **{setting: "true"})
        write(app)

        counts = deliver(app)

        assert counts == Counts(delayed=1, unreachable=True)
        assert sink.messages == []
        assert "CERTIFICATE_VERIFY_FAILED" in str(stored(app)[0].last_error)
        assert "CERTIFICATE_VERIFY_FAILED" in capfd.readouterr().err


def test_M09_no_letter_goes_in_the_clear_when_the_mail_server_offers_no_tls(
    make_app: Callable[..., Flask], sink: SmtpSink
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_USE_TLS="true", MAIL_DELIVERY="none")
    write(app)

    counts = deliver(app)

    assert counts == Counts(delayed=1, unreachable=True)
    assert sink.messages == []
