"""Requesting a reset email: who gets one, and that the response does not reveal it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import ApiUser, can_sign_in
from tests.support.comparable_responses import comparable
from tests.support.email_inbox import all_emails, emails_to
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.password_reset import REQUEST_PATH, request_reset, reset_link
from tests.support.response_times import take_equally_long
from tests.support.sql import execute_sql

FORGED_HOSTS = {
    "Host": "evil.example.net",
    "X-Forwarded-Host": "evil.example.net",
    "X-Forwarded-Server": "evil.example.net",
    "X-Forwarded-Prefix": "/evil.example.net",
    "Forwarded": "host=evil.example.net;proto=https",
    "X-Host": "evil.example.net",
    "X-Original-URL": "//evil.example.net/",
    "Origin": "http://evil.example.net",
    "Referer": "http://evil.example.net/",
}


def test_F01_the_response_is_the_same_for_every_address(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    inactive, without_password = new_user(), new_user(password=None)
    execute_sql(app, "UPDATE users SET is_active = false WHERE id = :id", id=make_user(app, **inactive))
    make_user(app, **without_password)
    addresses = [user.email, "unknown@example.com", inactive["email"], without_password["email"], "a@b.co.uk"]

    responses = [comparable(request_reset(client, address)) for address in addresses]

    assert responses[0][0] == 200
    assert responses == [responses[0]] * len(addresses)
    assert [sent_email.recipient for sent_email in all_emails(app)] == [user.email, without_password["email"]]


def test_F02_known_and_unknown_addresses_take_equally_long(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    def known() -> None:
        assert request_reset(client, user.email).status_code == 200

    def unknown() -> None:
        assert request_reset(client, "unknown@example.com").status_code == 200

    known(), unknown()

    assert take_equally_long(known, unknown)
    assert len(emails_to(app, user.email)) == 41


@pytest.mark.parametrize("proxies", ["0", "1"])
def test_F03_the_link_leads_to_our_site_whatever_the_host_header(make_app: Callable[..., Flask], proxies: str) -> None:
    app = make_app(TRUSTED_PROXIES=proxies)
    wanted = new_user()
    user_id = make_user(app, **wanted)

    response = app.test_client().post(REQUEST_PATH, json={"email": wanted["email"]}, headers=FORGED_HOSTS)

    assert response.status_code == 200
    (sent_email,) = all_emails(app)
    assert sent_email.link == f"http://accounts.example.com/reset/{user_id}/{sent_email.secret}/"
    assert "evil" not in sent_email.text + sent_email.html


def test_F03_the_link_leads_to_the_configured_front_end(make_app: Callable[..., Flask]) -> None:
    app = make_app(FRONTEND_URL="https://app.example.org/")
    wanted = new_user()
    user_id = make_user(app, **wanted)

    request_reset(app.test_client(), wanted["email"])

    (sent_email,) = all_emails(app)
    assert sent_email.link == f"https://app.example.org/reset/{user_id}/{sent_email.secret}/"


@pytest.mark.parametrize("spelling", ["Mike.Frost@Example.com", "MIKE.FROST@EXAMPLE.COM", "  mike.frost@ｅxample.com "])
def test_F04_the_email_is_sent_to_the_stored_spelling(app: Flask, client: FlaskClient, spelling: str) -> None:
    make_user(app, email="Mike.frost@example.com")

    response = request_reset(client, spelling)

    assert response.status_code == 200
    assert [sent_email.recipient for sent_email in all_emails(app)] == ["Mike.frost@example.com"]


@pytest.mark.parametrize(
    "payload",
    [
        ["mike@example.com", "eve@example.net"],
        {"email": "mike@example.com"},
        "mike@example.com,eve@example.net",
        "mike@example.com;eve@example.net",
        "mike@example.com eve@example.net",
        "mike@example.com\r\nBcc: eve@example.net",
        "mike@example.com\nCc: eve@example.net",
        "mike@example.com%0d%0aBcc:eve@example.net",
        "mike@example.com\x00eve@example.net",
        "<mike@example.com>",
        '"mike@example.com" <eve@example.net>',
        "mıke@example.com",
        "mike\u200b@example.com",
    ],
)
def test_F04_no_payload_adds_a_recipient(app: Flask, client: FlaskClient, payload: Any) -> None:
    make_user(app, email="mike@example.com")
    assert request_reset(client, "mike@example.com").status_code == 200

    response = request_reset(client, payload)

    assert response.status_code == 400
    assert [sent_email.recipient for sent_email in all_emails(app)] == ["mike@example.com"]


def test_F04_neither_a_second_field_nor_a_repeated_one_adds_a_recipient(app: Flask, client: FlaskClient) -> None:
    make_user(app, email="mike@example.com")

    responses = [
        client.post(REQUEST_PATH, json={"email": "mike@example.com", "bcc": "eve@example.net"}),
        client.post(REQUEST_PATH, data={"email": ["mike@example.com", "eve@example.net"]}),
    ]

    assert [response.status_code for response in responses] == [400, 400]
    assert all_emails(app) == []


def test_F10_a_queued_email_stores_its_secret_so_that_it_can_be_erased(app: Flask, user: ApiUser) -> None:
    token = reset_link(app, user.email)["token"]

    (sent_email,) = all_emails(app)
    assert sent_email.secret == token
    assert token in sent_email.text
    assert token in sent_email.html
    assert token not in sent_email.subject


def test_F14_requesting_a_reset_changes_nothing(app: Flask, client: FlaskClient, user: ApiUser) -> None:
    before = user.get("/userapi/auth/user/").get_json()

    for _ in range(3):
        request_reset(client, user.email)

    assert user.get("/userapi/auth/user/").get_json() == before
    assert can_sign_in(app, user.email, PASSWORD)
    refreshed = client.post("/api-token-refresh/", json={"refresh_token": user.tokens["refresh_token"]})
    assert refreshed.status_code == 200
