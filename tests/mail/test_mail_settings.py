"""Mail settings that are wrong or not ASCII: emails stay queued, and none is lost."""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from flask import Flask

import config
from tests.support import servers
from tests.support.app_config import SECRET_KEY
from tests.support.email_delivery import MoveClock, clock_mover, deliver_emails, queue_emails, stored_emails
from tests.support.servers import SmtpSink


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    return clock_mover(monkeypatch)


def accept_only_utf8(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
) -> AuthResult:
    return AuthResult(success=(given.login, given.password) == ("jörg".encode(), "pässwörd".encode()), handled=False)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_user_name_and_a_password_that_are_not_ascii_are_sent_as_utf8(
    make_app: Callable[..., Flask], mechanism: str
) -> None:
    others = [name for name in ("PLAIN", "LOGIN") if name != mechanism]
    with servers.smtp_sink(
        authenticator=accept_only_utf8, auth_require_tls=False, auth_exclude_mechanism=others
    ) as sink:
        app = make_app(
            MAIL_SERVER=sink.host,
            MAIL_PORT=str(sink.port),
            MAIL_USERNAME="jörg",
            MAIL_PASSWORD="pässwörd",
            MAIL_DELIVERY="none",
        )
        queue_emails(app)

        assert deliver_emails(app).sent == 1
        assert len(sink.messages) == 1


def test_a_wrong_password_that_is_not_ascii_delays_emails_until_it_is_corrected(
    make_app: Callable[..., Flask], later: MoveClock
) -> None:
    with servers.smtp_sink(authenticator=accept_only_utf8, auth_require_tls=False) as sink:
        server = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "MAIL_DELIVERY": "none"}
        wrong = make_app(**server, MAIL_USERNAME="jörg", MAIL_PASSWORD="wröng")
        queue_emails(wrong)

        assert deliver_emails(wrong).delayed == 1
        (row,) = stored_emails(wrong)
        assert row.given_up_at is None
        assert str(row.last_error).startswith("535 ")
        assert base64.b64encode("wröng".encode()).decode() not in str(row.last_error)


@pytest.mark.parametrize(
    "settings",
    [
        {"SITE_URL": "https://bücher.example"},
        {"MAIL_DEFAULT_SENDER": "Bücher <no-reply@bücher.example>"},
    ],
)
def test_a_sender_domain_that_is_not_ascii_is_sent_as_punycode(
    make_app: Callable[..., Flask], sink: SmtpSink, settings: dict[str, str]
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none", **settings)
    queue_emails(app)

    assert deliver_emails(app).sent == 1

    assert sink.envelopes[0][0] == "no-reply@xn--bcher-kva.example"
    assert sink.messages[0]["Message-ID"].endswith("@xn--bcher-kva.example>")


@pytest.mark.parametrize(
    ("site", "sender"),
    [("http://[::1]:8000", "no-reply@[IPv6:::1]"), ("http://192.0.2.1:8000", "no-reply@[192.0.2.1]")],
)
def test_a_site_without_a_name_has_a_valid_sender(
    make_app: Callable[..., Flask], sink: SmtpSink, site: str, sender: str
) -> None:
    app = make_app(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), MAIL_DELIVERY="none", SITE_URL=site)
    queue_emails(app)

    assert deliver_emails(app).sent == 1

    assert sink.envelopes[0][0] == sender
    assert sink.messages[0]["From"].addresses[0].addr_spec == sender


def test_emails_stay_queued_until_the_settings_are_corrected(make_app: Callable[..., Flask], later: MoveClock) -> None:
    def accept_our_password(
        server: SMTP, session: Session, envelope: Envelope, kind: str, given: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=given.password == b"right", handled=False)

    with servers.smtp_sink(authenticator=accept_our_password, auth_require_tls=False) as sink:
        server = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "MAIL_USERNAME": "us", "MAIL_DELIVERY": "none"}
        wrong = make_app(**server, MAIL_PASSWORD="wrong", MAIL_MAX_ATTEMPTS="2")
        queue_emails(wrong)
        for hours in range(1, 5):
            later(timedelta(hours=2 * hours))
            assert deliver_emails(wrong).delayed == 1

        later(timedelta(days=1))
        assert deliver_emails(make_app(**server, MAIL_PASSWORD="right")).sent == 1


@pytest.mark.parametrize(
    "server", ["smtp..example.com", ".example.com", "smtp.example.com:587", "smtp://mail", "[::1]", "a b", "x" * 64]
)
def test_rejects_a_mail_server_that_is_not_a_host_name(server: str) -> None:
    with pytest.raises(config.ConfigurationError, match=r"^MAIL_SERVER: "):
        config.load({"SECRET_KEY": SECRET_KEY, "MAIL_SERVER": server})


@pytest.mark.parametrize(
    "server", ["localhost", "smtp.example.com", "192.0.2.1", "2001:db8::1", "mail_relay", "postfix."]
)
def test_accepts_host_names_as_mail_server(server: str) -> None:
    settings = config.load({"SECRET_KEY": SECRET_KEY, "MAIL_SERVER": server})
    assert settings["MAIL_SERVER"] == server


def test_a_mail_server_that_is_not_ascii_is_looked_up_by_its_ascii_name() -> None:
    settings = config.load({"SECRET_KEY": SECRET_KEY, "MAIL_SERVER": "smtp.bücher.example"})
    assert settings["MAIL_SERVER"] == "smtp.xn--bcher-kva.example"


@pytest.mark.parametrize("sender", ["jörg@example.com", "no-reply@exa mple.com", "no-reply@a..b", "no-reply@"])
def test_rejects_an_invalid_sender(sender: str) -> None:
    with pytest.raises(config.ConfigurationError, match=r"^MAIL_DEFAULT_SENDER: "):
        config.load({"SECRET_KEY": SECRET_KEY, "MAIL_DEFAULT_SENDER": sender})
