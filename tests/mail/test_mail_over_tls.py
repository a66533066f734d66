"""Emails are sent only to mail servers with a valid certificate."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from tests.support import servers
from tests.support.email_delivery import deliver_emails, queue_emails, stored_emails
from tests.support.servers import SmtpSink
from userapi.mail.delivery import Counts


@contextmanager
def tls_sink(folder: Path, *, from_the_start: bool, name: str = "localhost") -> Iterator[SmtpSink]:
    """A mail server with a self-signed certificate, stored as `certificate.pem` in the folder."""
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
    with servers.smtp_sink(**options) as sink:
        yield sink


MODES = pytest.mark.parametrize(
    ("setting", "from_the_start"), [("MAIL_USE_TLS", False), ("MAIL_USE_SSL", True)], ids=["STARTTLS", "TLS"]
)


@MODES
def test_M09_an_email_is_sent_to_a_mail_server_with_a_valid_certificate(
    make_app: Callable[..., Flask],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    from_the_start: bool,
) -> None:
    with tls_sink(tmp_path, from_the_start=from_the_start) as sink:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        app = make_app(MAIL_SERVER="localhost", MAIL_PORT=str(sink.port), MAIL_DELIVERY="none", **{setting: "true"})
        queue_emails(app)

        counts = deliver_emails(app)

        assert counts == Counts(sent=1)
        assert len(sink.messages) == 1


@MODES
@pytest.mark.parametrize("fault", ["unknown issuer", "another name"])
def test_M09_no_email_is_sent_to_a_mail_server_with_an_invalid_certificate(
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
        queue_emails(app)

        counts = deliver_emails(app)

        assert counts == Counts(delayed=1, unreachable=True)
        assert sink.messages == []
        assert "CERTIFICATE_VERIFY_FAILED" in str(stored_emails(app)[0].last_error)
        assert "CERTIFICATE_VERIFY_FAILED" in capfd.readouterr().err


def test_M09_no_email_is_sent_unencrypted_when_the_mail_server_offers_no_tls(
    make_app: Callable[..., Flask], sink: SmtpSink
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_USE_TLS="true", MAIL_DELIVERY="none")
    queue_emails(app)

    counts = deliver_emails(app)

    assert counts == Counts(delayed=1, unreachable=True)
    assert sink.messages == []
