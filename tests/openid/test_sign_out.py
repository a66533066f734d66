"""Signing out: clients that request it, and clients that are notified of it."""

import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
import pytest
from flask import Flask

from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.race import run_simultaneously
from tests.support.raw_server import RawServer, raw_server, respond_with
from tests.support.relying_party import RelyingParty, claims_of, make_client
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from tests.support.waiting import wait_until
from userapi.auth import sessions
from userapi.core.db import db
from userapi.outbound import http_client, notices
from userapi.outbound.limits import Limits
from userapi.users import accounts
from userapi.users import queries as user_queries

BYE = "https://handbook.example.com/bye"
LOGOUT = "https://handbook.example.com/logout"


@pytest.fixture
def wiki(app: Flask) -> RelyingParty:
    """A client that is notified, and that its users may return to."""
    return make_client(app, name="Wiki", post_logout_redirect_uris=[BYE], backchannel_logout_uri=LOGOUT)


@pytest.fixture
def receiver(app: Flask) -> Iterator[RawServer]:
    """Where notices of the client go to from now on."""
    app.config["OUTBOUND_PRIVATE_HOSTS"] = ("127.0.0.1",)
    app.extensions["userapi-outbound"] = Limits(4)
    with raw_server(respond_with(b"", "200 OK")) as server:
        yield server


def is_signed_in(user: FormBrowser) -> bool:
    return user.get("/account/").status_code == 200


def page_of(user: FormBrowser, **parameters: str) -> Any:
    return user.get(f"/oauth/logout/?{urlencode(parameters)}")


def press(user: FormBrowser, **parameters: str) -> Any:
    page = page_of(user, **parameters)
    assert page.status_code == 200, page.text
    return user.post("/oauth/logout/confirm/", {**parameters, "csrf_token": hidden_value(page)})


def deliver(app: Flask) -> None:
    with app.app_context():
        notices.send_due(10)


def deliver_all(app: Flask) -> None:
    with app.app_context():
        notices.deliver_due()


def logout_tokens(server: RawServer) -> list[str]:
    bodies = [request.partition(b"\r\n\r\n")[2].decode() for request in server.requests]
    return [parse_qs(body)["logout_token"][0] for body in bodies]


def test_a_user_signs_out_by_the_button_and_returns_to_the_client(signed_in: FormBrowser, wiki: RelyingParty) -> None:
    hint = wiki.sign_in(signed_in)["id_token"]

    left = press(signed_in, id_token_hint=hint, post_logout_redirect_uri=BYE, state="x")

    assert f'content="0; url={BYE}?state=x"' in left.text
    assert not is_signed_in(signed_in)


def test_a_client_of_the_operator_needs_no_button_for_its_own_session(app: Flask, signed_in: FormBrowser) -> None:
    own = make_client(app, is_first_party=True, post_logout_redirect_uris=[BYE])
    hint = own.sign_in(signed_in)["id_token"]

    response = page_of(signed_in, id_token_hint=hint, post_logout_redirect_uri=BYE)

    assert (response.status_code, response.headers["Location"]) == (303, BYE)
    assert not is_signed_in(signed_in)


def test_Q35_no_one_is_sent_to_an_address_that_is_not_registered(
    app: Flask, signed_in: FormBrowser, wiki: RelyingParty, handbook: RelyingParty
) -> None:
    hint, of_other = (client.sign_in(signed_in)["id_token"] for client in (wiki, handbook))
    header, body, _signature = hint.split(".")
    forged = jwt.encode(claims_of(hint), "", algorithm="none")

    for parameters in (
        {"id_token_hint": hint, "post_logout_redirect_uri": "https://evil.example/"},
        {"id_token_hint": hint, "post_logout_redirect_uri": BYE + "/"},
        {"id_token_hint": of_other, "client_id": wiki.client_id, "post_logout_redirect_uri": BYE},
        {"id_token_hint": forged, "post_logout_redirect_uri": BYE},
        {"id_token_hint": f"{header}.{body}.AAAA", "post_logout_redirect_uri": BYE},
        {"post_logout_redirect_uri": BYE},
        {"client_id": wiki.client_id, "post_logout_redirect_uri": BYE, "state": "x" * 1001},
    ):
        response = page_of(signed_in, **parameters)
        assert (response.status_code, "Location" in response.headers) == (400, False), parameters
        assert "This sign-out link does not work" in response.text
    assert is_signed_in(signed_in)


def test_Q35_a_request_ends_nothing_without_the_button(app: Flask, signed_in: FormBrowser, wiki: RelyingParty) -> None:
    hint = wiki.sign_in(signed_in)["id_token"]

    page_of(signed_in, id_token_hint=hint)
    page_of(signed_in)
    posted = signed_in.post("/oauth/logout/", {"id_token_hint": hint})

    assert posted.headers["Location"].startswith("/oauth/logout/?id_token_hint=")
    assert signed_in.post("/oauth/logout/confirm/", {"id_token_hint": hint}).status_code in (303, 403)
    assert is_signed_in(signed_in)


def test_Q36_a_hint_of_another_session_ends_nothing_without_the_button(app: Flask, email: str) -> None:
    own = make_client(app, is_first_party=True, post_logout_redirect_uris=[BYE])
    first, second = FormBrowser(app), FormBrowser(app)
    first.sign_in(email)
    second.sign_in(email)
    hint = own.sign_in(first)["id_token"]

    response = page_of(second, id_token_hint=hint, post_logout_redirect_uri=BYE)

    assert response.status_code == 200
    assert is_signed_in(second)


def test_Q37_the_client_gets_a_logout_token_of_its_own_for_each_attempt(
    app: Flask, signed_in: FormBrowser, wiki: RelyingParty, receiver: RawServer
) -> None:
    identity = claims_of(wiki.sign_in(signed_in)["id_token"])
    signed_in.post("/logout/", {"csrf_token": hidden_value(signed_in.get("/logout/"))})
    execute_sql(app, "UPDATE notices SET url = :url", url=f"{receiver.url}/logout")

    deliver(app)
    execute_sql(app, "UPDATE notices SET sent_at = NULL, due_at = created_at, claimed_until = NULL")
    deliver(app)

    first, second = logout_tokens(receiver)
    keys = {key["kid"]: key for key in app.test_client().get("/.well-known/jwks.json").get_json()["keys"]}
    header = jwt.get_unverified_header(first)
    claims = jwt.decode(first, jwt.PyJWK(keys[header["kid"]]).key, algorithms=["ES256"], audience=wiki.client_id)
    assert header["typ"] == "logout+jwt"
    assert (claims["sub"], claims["sid"]) == (identity["sub"], identity["sid"])
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert claims["exp"] - claims["iat"] == 120
    assert "nonce" not in claims
    assert claims["jti"] != claims_of(second)["jti"]


@pytest.mark.both
@pytest.mark.parametrize(
    "how", ["sign-out", "sessions", "password", "deactivation", "deletion", "end-all", "withdrawal"]
)
def test_Q38_Q39_whatever_ends_a_session_queues_the_notice_with_it(
    how: str, app: Flask, email: str, signed_in: FormBrowser, wiki: RelyingParty, handbook: RelyingParty
) -> None:
    identity = claims_of(wiki.sign_in(signed_in)["id_token"])
    handbook.sign_in(signed_in)  # is not notified
    user_id = int(identity["sub"])

    if how == "sign-out":
        signed_in.post("/logout/", {"csrf_token": hidden_value(signed_in.get("/logout/"))})
    elif how == "withdrawal":
        page = signed_in.get("/account/apps/")
        fields = {"csrf_token": hidden_value(page)}
        assert signed_in.post(f"/account/apps/{wiki.client_id}/withdraw/", fields).status_code == 303
    else:
        with app.app_context():
            user = user_queries.lock_user(user_id)
            assert user is not None
            if how == "sessions":
                sessions.end_sessions(user)
            elif how == "password":
                accounts.set_password(user, "another long password 7")
                sessions.end_sessions(user)
            elif how == "deactivation":
                accounts.deactivate(user)
            elif how == "deletion":
                accounts.delete(user)
            else:
                sessions.end_all_sessions()
            db.session.commit()

    rows = fetch_rows(app, "SELECT service, url, content FROM notices")
    assert [(row[0], row[1]) for row in rows] == [(wiki.client_id, LOGOUT)]
    assert identity["sid"] in rows[0][2]
    assert fetch_number(app, "SELECT count(*) FROM openid_client_sessions") == 0


@pytest.mark.both
def test_Q38_a_session_that_stays_queues_nothing(
    app: Flask, email: str, signed_in: FormBrowser, wiki: RelyingParty
) -> None:
    wiki.sign_in(signed_in)
    other = FormBrowser(app)
    other.sign_in(email)

    other.post("/logout/", {"csrf_token": hidden_value(other.get("/logout/"))})

    assert fetch_number(app, "SELECT count(*) FROM notices") == 0


def test_Q40_a_client_that_is_down_is_called_again_and_one_that_rejects_is_not(
    app: Flask, signed_in: FormBrowser, wiki: RelyingParty
) -> None:
    app.config["OUTBOUND_PRIVATE_HOSTS"] = ("127.0.0.1",)
    app.extensions["userapi-outbound"] = Limits(4)
    for head, fails in (
        ("503 Service Unavailable", False),
        ("302 Found\r\nLocation: /x", False),
        ("400 Bad Request", True),
    ):
        execute_sql(app, "DELETE FROM notices")
        wiki.sign_in(signed_in)
        with raw_server(respond_with(b"", head)) as server, app.app_context():
            notices.queue("logout", wiki.client_id, {"client": wiki.client_id, "sub": "1", "sid": "s"}, url=server.url)
            db.session.commit()
            notices.send_due(10)
        (row,) = fetch_rows(app, "SELECT failed_at IS NOT NULL, sent_at IS NOT NULL FROM notices")
        assert (bool(row[0]), bool(row[1])) == (fails, False), head


@pytest.mark.both
def test_Q40_a_client_that_hangs_delays_neither_another_client_nor_requests_of_users(
    app: Flask, wiki: RelyingParty, handbook: RelyingParty
) -> None:
    app.config["OUTBOUND_PRIVATE_HOSTS"], app.config["OUTBOUND_TIMEOUT"] = ("127.0.0.1",), 60
    app.extensions["userapi-outbound"] = Limits(1)
    may_respond = threading.Event()

    def hang(connection: socket.socket) -> None:
        may_respond.wait(60)
        respond_with(b"")(connection)

    with raw_server(hang) as slow, raw_server(respond_with(b"")) as quick, app.app_context():
        for client, server in ((wiki, slow), (wiki, slow), (handbook, quick)):
            content = {"client": client.client_id, "sub": "1", "sid": "s"}
            notices.queue("logout", client.client_id, content, url=server.url)
        db.session.commit()
        sending = threading.Thread(target=deliver_all, args=[app])
        sending.start()
        try:
            wait_until(lambda: quick.requests and slow.requests)
            assert len(slow.requests) == 1
            assert http_client.get(quick.url, service="provider").status == 200
        finally:
            may_respond.set()
            sending.join()

    assert len(slow.requests) == 2
    assert fetch_number(app, "SELECT count(*) FROM notices WHERE sent_at IS NOT NULL") == 3


@pytest.mark.both
def test_Q41_a_logout_beside_an_exchange_leaves_no_tokens_without_a_notice(
    app: Flask, email: str, wiki: RelyingParty
) -> None:
    for _round in range(8):
        user = FormBrowser(app)
        user.sign_in(email)
        code = wiki.authorize(user)["code"]
        form = {"csrf_token": hidden_value(user.get("/logout/"))}
        execute_sql(app, "DELETE FROM notices")

        exchanged, _left = run_simultaneously([partial(wiki.exchange, code), partial(user.post, "/logout/", form)])

        if exchanged.status_code == 200:
            assert wiki.userinfo(exchanged.get_json()["access_token"]).status_code == 401
            assert fetch_number(app, "SELECT count(*) FROM notices") == 1
        assert fetch_number(app, "SELECT count(*) FROM openid_client_sessions") == 0
