"""A client application is notified of a sign-out although the service dies while it does that."""

import os
import signal
import socket
import threading
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from flask import Flask

from tests.support import commands, http_server
from tests.support.factories import PASSWORD, make_user
from tests.support.http_browser import HttpBrowser
from tests.support.raw_server import raw_server, respond_with
from tests.support.relying_party import CALLBACK, claims_of, make_client, sign_in_over_http
from tests.support.sql import execute_sql, fetch_number
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def test_Q38_a_client_is_notified_of_a_sign_out_although_every_process_is_killed_while_that_is_sent(
    app: Flask, tmp_path: Path
) -> None:
    is_up = threading.Event()

    def respond(connection: socket.socket) -> None:
        """Hang until the service is dead, and accept what comes later."""
        if is_up.is_set():
            respond_with(b"")(connection)
        else:
            connection.recv(1)

    app.config["SITE_URL"] = "http://localhost:8000"
    make_user(app, email="ada@example.com")
    environment = commands.environment_for(app, WORKERS="2", PASSWORD_HASH_MEMORY="8", PASSWORD_HASH_TIME="1")
    with raw_server(respond) as receiver:
        client = make_client(app, is_first_party=True, backchannel_logout_uri=f"{receiver.url}/logout")
        with http_server.run_server(tmp_path, environment) as server:
            browser = HttpBrowser(server.url)
            browser.sign_in("ada@example.com", PASSWORD)
            tokens = sign_in_over_http(browser, client.client_id, str(client.secret), CALLBACK)
            assert browser.send("/logout/", {}).status_code == 303
            wait_until(lambda: receiver.requests)
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()
        assert fetch_number(app, "SELECT count(*) FROM notices WHERE sent_at IS NULL") == 1
        execute_sql(app, "UPDATE notices SET claimed_until = NULL")  # the lease of a killed worker ends
        is_up.set()

        with http_server.run_server(tmp_path, environment):
            wait_until(lambda: fetch_number(app, "SELECT count(*) FROM notices WHERE sent_at IS NOT NULL") == 1)

    (logout_token,) = parse_qs(receiver.requests[-1].partition(b"\r\n\r\n")[2].decode())["logout_token"]
    assert claims_of(logout_token)["sid"] == claims_of(tokens["id_token"])["sid"]
