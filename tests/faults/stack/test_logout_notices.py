"""Client applications are notified of sign-outs whatever is killed right after the answer."""

import json
import threading
from collections.abc import Callable
from socket import socket
from urllib.parse import parse_qs

import pytest
from stack import HOSTS, Stack

from tests.support.app_stack import kill_with_children, query_database, register
from tests.support.factories import PASSWORD
from tests.support.http_browser import HttpBrowser
from tests.support.raw_server import RawServer, raw_server, respond_with
from tests.support.relying_party import claims_of, sign_in_over_http
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack

CALLBACK = "http://localhost:9/callback"
USERS = 4


def notified(receiver: RawServer) -> set[str]:
    """The sessions that the client was notified of."""
    forms = [parse_qs(request.partition(b"\r\n\r\n")[2].decode()) for request in receiver.requests]
    return {claims_of(form["logout_token"][0])["sid"] for form in forms}


def test_Q38_no_notice_is_lost_when_the_app_hosts_and_the_celery_worker_are_killed_right_after_a_sign_out(
    stack: Stack, report: Callable[[str], None]
) -> None:
    is_up = threading.Event()

    def respond(connection: socket) -> None:
        """Hang until the service is dead, and accept what comes later."""
        if is_up.is_set():
            respond_with(b"")(connection)
        else:
            connection.recv(1)

    with raw_server(respond) as receiver:
        added = stack.flask(
            "clients", "add", "Handbook", "--first-party", "--redirect-uri", CALLBACK, "--json",
            "--backchannel-logout-uri", f"{receiver.url}/logout",
        )  # fmt: skip
        client = json.loads(added)
        browsers, sids = [], set()
        for _number in range(USERS):
            browser = HttpBrowser(stack.url)
            browser.sign_in(register(stack.url), PASSWORD)
            tokens = sign_in_over_http(browser, client["client_id"], client["client_secret"], CALLBACK)
            sids.add(claims_of(tokens["id_token"])["sid"])
            browsers.append(browser)

        statuses = [browser.send("/logout/", {}).status_code for browser in browsers[:2]]
        wait_until(lambda: receiver.requests)
        statuses += [browser.send("/logout/", {}).status_code for browser in browsers[2:]]
        for name in (*HOSTS, "worker"):
            kill_with_children(stack[name])
        tried = len(receiver.requests)
        receiver.requests.clear()
        query_database(stack, "UPDATE notices SET claimed_until = NULL RETURNING id")  # the leases of the killed end
        is_up.set()
        for name in (*HOSTS, "worker"):
            stack[name].start()
        waiting = "SELECT FROM notices WHERE service = %s AND sent_at IS NULL"
        wait_until(lambda: not query_database(stack, waiting, client["client_id"]), 60, 0.2)
        stack.flask("clients", "delete", client["client_id"], "--yes")

    report(
        f"2 app hosts and the Celery worker killed: {USERS} sign-outs, {tried} notices begun, all delivered after it"
    )
    assert statuses == [303] * USERS
    assert notified(receiver) == sids
