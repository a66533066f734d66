"""Requesting a code by email: who gets one, that the response does not reveal it, and what limits it."""

from collections.abc import Callable
from datetime import timedelta

import processes
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import servers
from tests.support.comparable_responses import comparable
from tests.support.email_delivery import clock_mover, deliver_emails, smtp_recipients, stored_emails
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import make_user
from tests.support.mailed_codes import (
    CONFIRM,
    REQUEST,
    code_in,
    confirm,
    link_in,
    newest_email,
    other_code,
    request_code,
    token_in,
)
from tests.support.response_times import take_equally_long
from tests.support.servers import SmtpSink
from tests.support.sign_in_attempts import AWAY_IP, HOME_IP, StoppedClock, client_from_ip, sign_in_from_ip, stop_clock
from tests.support.sql import execute_sql, fetch_number, fetch_rows

EMAIL = "wren@example.com"


@pytest.fixture
def app(app: Flask) -> Flask:
    """The application with codes and links by email."""
    app.config["SIGN_IN_BY_MAIL"] = "link"
    return app


@pytest.fixture
def throttled_app(make_app: Callable[..., Flask]) -> Flask:
    """The same with the default throttles."""
    return make_app(SIGN_IN_BY_MAIL="code", RATELIMIT_ENABLED="true")


@pytest.fixture
def throttle_clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    return stop_clock(monkeypatch)


def request_comparably(client: FlaskClient, email: str) -> tuple[int, bytes, dict[str, str]]:
    """The response to a request for a code, without the name of the request."""
    response = client.post(REQUEST, json={"email": email})
    status, body, headers = comparable(response)
    return status, body.replace(response.get_json()["challenge"].encode(), b"*" * 36), headers


def test_E01_the_response_and_what_it_stores_are_the_same_for_every_address(app: Flask, client: FlaskClient) -> None:
    make_user(app, email=EMAIL, email_verified=True)
    make_user(app, email="unconfirmed@example.com")
    make_user(app, email="no-password@example.com", password=None)
    make_user(app, email="staff@example.com", is_staff=True)
    make_user(app, email="super@example.com", is_superuser=True)
    execute_sql(app, "UPDATE users SET is_active = false WHERE id = :id", id=make_user(app, email="gone@example.com"))
    emails = [EMAIL, "unconfirmed@example.com", "no-password@example.com"]
    without = ["staff@example.com", "super@example.com", "gone@example.com", "unknown@example.com"]

    responses = [request_comparably(client, email) for email in (*emails, *without)]

    assert responses[0][0] == 202
    assert responses == [responses[0]] * 7
    assert [email.recipient for email in all_emails(app)] == emails
    rows = fetch_rows(app, "SELECT length(code_mac), length(link_digest), tries, used_at FROM sign_in_codes")
    assert rows == [rows[0]] * 7
    events = "SELECT count(*) FROM audit_events WHERE action = 'sign_in.code_requested'"
    assert fetch_number(app, events) == 7


def test_E01_known_and_unknown_addresses_take_equally_long(app: Flask, client: FlaskClient) -> None:
    make_user(app, email=EMAIL, email_verified=True)

    def known() -> None:
        assert client.post(REQUEST, json={"email": EMAIL}).status_code == 202

    def unknown() -> None:
        assert client.post(REQUEST, json={"email": "unknown@example.com"}).status_code == 202

    known(), unknown()

    assert take_equally_long(known, unknown)


def test_staff_get_codes_if_the_setting_says_so(app: Flask) -> None:
    app.config["SIGN_IN_BY_MAIL_STAFF"] = True
    make_user(app, email="staff@example.com", is_staff=True, email_verified=True)

    challenge = request_code(app, "staff@example.com")
    signed_in = confirm(app, challenge=challenge, code=code_in(newest_email(app, "staff@example.com")))

    assert signed_in.status_code == 200


def guess(app: Flask, ip_address: str, email: str) -> int:
    """Send a wrong code for a new request, as from a new attacker; the status."""
    challenge = request_from(app, ip_address, email)
    code = code_in(newest_email(app, email)) if emails_to(app, email) else "0000 0000"
    return send_from(app, ip_address, challenge, other_code(code))


def request_from(app: Flask, ip_address: str, email: str) -> str:
    answer = client_from_ip(app, ip_address).post(REQUEST, json={"email": email})
    assert answer.status_code == 202, answer.text
    return str(answer.get_json()["challenge"])


def send_from(app: Flask, ip_address: str, challenge: str, code: str) -> int:
    sent = {"challenge": challenge, "code": code}
    return client_from_ip(app, ip_address).post(CONFIRM, json=sent).status_code


@pytest.mark.usefixtures("throttle_clock")
@pytest.mark.parametrize("email", [EMAIL, "unknown@example.com"])
def test_E03_wrong_codes_for_one_account_are_limited_over_all_requests_and_clients(
    throttled_app: Flask, email: str
) -> None:
    make_user(throttled_app, email=EMAIL, email_verified=True)

    statuses = [guess(throttled_app, f"192.0.2.{number}", email) for number in range(1, 31)]

    assert statuses == [401] * 25 + [429] * 5


def test_E03_the_owner_signs_in_from_a_known_network_while_others_guess(
    make_app: Callable[..., Flask], throttle_clock: StoppedClock
) -> None:
    app = make_app(SIGN_IN_BY_MAIL="code", RATELIMIT_ENABLED="true", RATELIMIT_CODE_RECIPIENT="1000 per hour")
    make_user(app, email=EMAIL, email_verified=True)
    assert sign_in_from_ip(app, HOME_IP, EMAIL).status_code == 200
    for number in range(1, 26):
        assert guess(app, f"192.0.2.{number}", EMAIL) == 401
    challenge = request_from(app, HOME_IP, EMAIL)
    code = code_in(newest_email(app, EMAIL))

    assert send_from(app, AWAY_IP, challenge, code) == 429
    assert send_from(app, HOME_IP, challenge, code) == 200
    throttle_clock.now += 3601
    challenge = request_from(app, AWAY_IP, EMAIL)
    assert send_from(app, AWAY_IP, challenge, code_in(newest_email(app, EMAIL))) == 200


def test_twenty_wrong_codes_of_one_client_are_the_limit(throttled_app: Flask) -> None:
    statuses = [confirm(throttled_app, challenge="x", code="1234 5678").status_code for _ in range(22)]

    assert statuses == [401] * 20 + [429] * 2


def test_thirty_requests_of_one_client_are_the_limit(throttled_app: Flask, client: FlaskClient) -> None:
    client = throttled_app.test_client()

    statuses = [client.post(REQUEST, json={"email": f"a{n}@example.com"}).status_code for n in range(32)]

    assert statuses == [202] * 30 + [429] * 2


def test_E18_one_address_gets_five_emails_an_hour_and_the_fifth_code_stays_valid(throttled_app: Flask) -> None:
    app = throttled_app
    make_user(app, email=EMAIL, email_verified=True)
    clients = [client_from_ip(app, f"192.0.2.{number}") for number in range(100)]

    responses = [request_comparably(client, EMAIL) for client in clients]

    assert responses == [responses[0]] * 100
    assert len(emails_to(app, EMAIL)) == 5
    challenges = fetch_rows(app, "SELECT id FROM sign_in_codes WHERE user_id IS NOT NULL ORDER BY created_at")
    assert len(challenges) == 5
    code = code_in(newest_email(app, EMAIL))
    assert confirm(app, challenge=str(challenges[4][0]), code=code).status_code == 200


def test_E14_E15_an_email_names_its_code_once_and_forgets_it_when_it_was_sent(
    make_app: Callable[..., Flask], sink: SmtpSink, caplog: pytest.LogCaptureFixture
) -> None:
    mail = {"MAIL_SERVER": sink.host, "MAIL_PORT": str(sink.port), "MAIL_DELIVERY": "none"}
    app = make_app(**mail, SIGN_IN_BY_MAIL="link")
    make_user(app, email=EMAIL, email_verified=True)
    challenge = request_code(app, EMAIL)
    email = newest_email(app, EMAIL)
    code, token = code_in(email), token_in(email)
    secrets = (code, code.replace(" ", ""), token)

    assert email.text.startswith(f"{code} is your code")
    assert code in email.html
    assert token in email.html
    assert not any(secret in email.subject for secret in secrets)
    assert deliver_emails(app).sent == 1
    (sent,) = sink.messages
    assert code in str(sent.get_body(("plain",)))
    (stored,) = stored_emails(app)
    assert not any(secret in stored.text + stored.html for secret in secrets)
    assert stored.secret is None
    assert confirm(app, challenge=challenge, code=other_code(code)).status_code == 401
    assert confirm(app, token=token, code=code).status_code == 200
    elsewhere = str(fetch_rows(app, "SELECT * FROM audit_events")) + caplog.text + link_in(email).replace(token, "")
    assert not any(secret in elsewhere for secret in secrets)


@pytest.mark.parametrize("frontend", ["", "https://app.example.com/ui"])
def test_E16_the_link_leads_to_our_site_whatever_the_request_says(
    make_app: Callable[..., Flask], frontend: str
) -> None:
    app = make_app(SIGN_IN_BY_MAIL="link", FRONTEND_URL=frontend, TRUSTED_PROXIES="1")
    make_user(app, email=EMAIL, email_verified=True)
    forged = {"Host": "evil.example.net", "X-Forwarded-Host": "evil.example.net", "Origin": "http://evil.example.net"}

    app.test_client().post(REQUEST, json={"email": EMAIL}, headers=forged)

    assert link_in(newest_email(app, EMAIL)).startswith(f"{frontend or 'http://accounts.example.com'}/sign-in/")
    assert "evil" not in newest_email(app, EMAIL).html


def test_an_email_has_a_link_only_if_the_setting_says_so(app: Flask) -> None:
    make_user(app, email=EMAIL, email_verified=True)
    app.config["SIGN_IN_BY_MAIL"] = "code"

    request_code(app, EMAIL)

    assert "http" not in newest_email(app, EMAIL).text
    assert fetch_rows(app, "SELECT link_digest FROM sign_in_codes") == [(None,)]


def test_E20_a_code_is_sent_later_if_the_mail_server_is_down_but_not_after_it_has_expired(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = processes.free_port()
    app = make_app(MAIL_SERVER="127.0.0.1", MAIL_PORT=str(port), MAIL_DELIVERY="none")
    make_user(app, email=EMAIL, email_verified=True)
    make_user(app, email="other@example.com", email_verified=True)
    later = clock_mover(monkeypatch)
    request_code(app, EMAIL)
    later(timedelta(minutes=6))
    challenge = request_code(app, "other@example.com")
    code = code_in(newest_email(app, "other@example.com"))
    assert deliver_emails(app).unreachable

    with servers.smtp_sink(port=port) as sink:
        later(timedelta(minutes=11))
        counts = deliver_emails(app)
        recipients = smtp_recipients(sink)

    assert (counts.sent, counts.failed, recipients) == (1, 1, ["other@example.com"])
    assert "expired" in str(stored_emails(app)[0].last_error)
    assert confirm(app, challenge=challenge, code=code).status_code == 200
