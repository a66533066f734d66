"""`flask doctor` names settings that are risky, misspelt or old, and those of emails that do not work."""

from collections.abc import Callable

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from flask import Flask

from tests.support import servers
from tests.support.doctor import findings_at, run_doctor

pytestmark = pytest.mark.both


@pytest.mark.parametrize(
    ("settings", "warnings"),
    [
        ({"SIGN_IN_BY_MAIL": "code"}, ["MAIL_SERVER is not set", "SIGN_IN_BY_MAIL is set"]),
        ({"SIGN_IN_BY_MAIL": "none", "EMAIL_VERIFICATION": "none"}, ["MAIL_SERVER is not set"]),
        (
            {"SIGN_IN_BY_MAIL": "link", "EMAIL_VERIFICATION": "none", "SIGN_IN_BY_MAIL_STAFF": "true"},
            ["MAIL_SERVER is not set", "SIGN_IN_BY_MAIL is set", "EMAIL_VERIFICATION and", "SIGN_IN_BY_MAIL_STAFF"],
        ),
    ],
)
def test_reports_settings_of_codes_by_email_that_surprise(
    healthy: Callable[..., Flask], settings: dict[str, str], warnings: list[str]
) -> None:
    found = findings_at(run_doctor(healthy(**settings))[1], "warning")

    assert len(found) == len(warnings)
    assert all(text.startswith(start) for text, start in zip(found, warnings, strict=True)), found


@pytest.mark.parametrize(
    ("level", "word", "settings"),
    [
        ("error", "Use https", {"SITE_URL": "http://accounts.example.com"}),
        ("warning", "TRUSTED_PROXIES is 0", {"SITE_URL": "https://accounts.example.com"}),
        ("warning", "RATELIMIT_ENABLED", {"RATELIMIT_ENABLED": "false"}),
        ("warning", "REDIS_URL", {"WORKERS": "3"}),
        ("warning", "WORKERS is 250", {"WORKERS": "250"}),
        (
            "warning",
            "EMAIL_VERIFICATION is none",
            {
                "EMAIL_VERIFICATION": "none",
                "PROVIDERS": "acme",
                "PROVIDER_ACME_TRUSTS_EMAIL": "true",
                "PROVIDER_ACME_ISSUER": "https://127.0.0.1:9",
                "PROVIDER_ACME_CLIENT_ID": "x",
                "PROVIDER_ACME_CLIENT_SECRET": "y",
            },
        ),
    ],
)
def test_warns_of_risky_settings(
    healthy: Callable[..., Flask], level: str, word: str, settings: dict[str, str]
) -> None:
    assert not [text for text in findings_at(run_doctor(healthy())[1], level) if word in text]

    assert [text for text in findings_at(run_doctor(healthy(**settings))[1], level) if word in text]


@pytest.mark.parametrize(
    ("variable", "setting"),
    [
        ("DATABSE_URL", "DATABASE_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("SECRETKEY_FILE", "SECRET_KEY_FILE"),
        ("CORS_ORIGIN", "CORS_ORIGINS"),
        ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
        ("mail_server", "MAIL_SERVER"),
        ("USERAPI_PORT", "PORT"),
        ("RATELIMIT_SIGNIN_PAIR", "RATELIMIT_SIGN_IN_PAIR"),
        ("MAIL_HOST", "docs/settings.md"),
        ("PROVIDER_ACME_ISSUR", "PROVIDER_ACME_ISSUER"),
    ],
)
def test_names_a_variable_that_looks_like_a_misspelt_setting(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, variable: str, setting: str
) -> None:
    app = healthy()
    monkeypatch.setenv("PROVIDERS", "acme")
    monkeypatch.setenv("PROVIDER_ACME_CLIENT_ID", "ours")
    assert not [text for text in findings_at(run_doctor(app)[1], "warning") if "no such setting" in text]

    monkeypatch.setenv(variable, "a secret value")

    (line,) = [text for text in findings_at(run_doctor(app)[1], "warning") if "no such setting" in text]
    assert line.startswith(f"{variable} is set")
    assert setting in line
    assert "a secret value" not in line


@pytest.mark.parametrize("suffix", ["", "_FILE"])
def test_names_the_old_name_of_a_setting(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    app = healthy()
    monkeypatch.setenv(f"RATELIMIT_SIGN_IN_ADDRESS{suffix}", "5 per hour")

    warnings = findings_at(run_doctor(app)[1], "warning")

    assert f"RATELIMIT_SIGN_IN_ADDRESS{suffix} is the old name of RATELIMIT_SIGN_IN_IP{suffix}. Rename it." in warnings
    assert not [text for text in warnings if "no such setting" in text]


def test_does_not_name_an_old_name_without_a_value(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = healthy()
    monkeypatch.setenv("RATELIMIT_SIGN_IN_ADDRESS", "")

    assert not [text for text in findings_at(run_doctor(app)[1], "warning") if "old name" in text]


def test_does_not_name_variables_of_other_programs(
    healthy: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = (
        "PATH HOME HOSTNAME LANGUAGE LANG LC_ALL MAIL MAILCHECK LOGNAME SHELL SESSION_MANAGER POSTGRES_PASSWORD "
        "PGHOST PGDATABASE REDIS_HOST VIRTUAL_ENV DEBUG FLASK_APP FLASK_ENV OTEL_SERVICE_NAME SSL_CERT_FILE "
        "GUNICORN_CMD_ARGS WEB_CONCURRENCY USER_PASSWORD DISPLAY EDITOR PYTHONPATH NODE_ENV HTTP_PROXY"
    )
    for name in foreign.split():
        monkeypatch.setenv(name, "en" if name.startswith("L") else "/x")

    assert not [text for text in findings_at(run_doctor(healthy())[1], "warning") if "no such setting" in text]


@pytest.mark.parametrize(
    "settings",
    [
        {"MAIL_USERNAME": "jörg", "MAIL_PASSWORD": "pässwörd"},
        {"MAIL_DEFAULT_SENDER": "no-reply@bücher.example"},
        {"SITE_URL": "http://bücher.example"},
    ],
)
def test_mail_settings_that_are_not_ascii_are_checked_too(
    healthy: Callable[..., Flask], settings: dict[str, str]
) -> None:
    def accept(_server: SMTP, _session: Session, _envelope: Envelope, _kind: str, given: LoginPassword) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == ("jörg".encode(), "pässwörd".encode()))

    with servers.smtp_sink(authenticator=accept, auth_require_tls=False) as sink:
        app = healthy(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port), **settings)

        lines = [line for line in run_doctor(app)[1] if line["subject"] in ("email", "mail")]

    assert {line["level"] for line in lines} == {"ok"}, lines
    assert [line for line in lines if f"{sink.host}:{sink.port}" in line["text"]]


def test_a_mail_setting_that_cannot_be_encoded_gets_one_line(
    healthy: Callable[..., Flask], sink: servers.SmtpSink
) -> None:
    app = healthy(MAIL_SERVER=sink.host, MAIL_PORT=str(sink.port))
    app.config["MAIL_DEFAULT_SENDER"] = f"no-reply@{chr(0xE9)}.example"  # after the settings were checked

    (line,) = findings_at(run_doctor(app)[1], "error")

    assert line.startswith("MAIL_SERVER, MAIL_USERNAME, MAIL_PASSWORD, MAIL_DEFAULT_SENDER: ")
