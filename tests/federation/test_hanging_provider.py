"""A provider that hangs while many users want to sign in with it, and the server's few threads."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
import requests

from tests.support import commands, http_server
from tests.support.app_stack import post
from tests.support.raw_server import raw_server, respond_with
from tests.support.waiting import wait_until

SIGN_INS = 20


@pytest.mark.slow
def test_I50_other_ways_to_sign_in_stay_quick_while_a_provider_hangs_and_it_recovers(tmp_path: Path) -> None:
    recovered = threading.Event()

    def hang(connection: socket.socket) -> None:
        recovered.wait(60)
        issuer = f"http://127.0.0.1:{connection.getsockname()[1]}"
        endpoints = dict.fromkeys(("authorization_endpoint", "token_endpoint", "jwks_uri"), f"{issuer}/")
        respond_with(orjson.dumps({"issuer": issuer, **endpoints}))(connection)

    with raw_server(hang) as provider:
        env = commands.environment(
            f"sqlite:///{tmp_path}/test.db", tmp_path, WORKERS="1", WORKER_THREADS="1", RATELIMIT_ENABLED="false",
            OUTBOUND_TIMEOUT="30", OUTBOUND_PRIVATE_HOSTS="127.0.0.1", PROVIDERS="acme",
            PROVIDER_ACME_ISSUER=provider.url,
            PROVIDER_ACME_CLIENT_ID="our-client", PROVIDER_ACME_CLIENT_SECRET="not so secret",
        )  # fmt: skip
        with http_server.run_server(tmp_path, env) as server, ThreadPoolExecutor(SIGN_INS) as browsers:
            clicks = [browsers.submit(click_on_provider, server.url) for _ in range(SIGN_INS)]
            wait_until(lambda: sum(click.done() for click in clicks) == SIGN_INS - 2)
            started = time.monotonic()
            signed_in = post(server.url, "/api-token-auth/", {"email": server.email, "password": server.password})
            seconds = time.monotonic() - started
            recovered.set()
            answers = [click.result() for click in clicks]
            after = click_on_provider(server.url)

    assert signed_in.status == 200
    assert seconds < 10  # the provider hangs for longer
    assert sorted(status for status, _retry_after in answers) == [200] * 2 + [503] * (SIGN_INS - 2)
    assert {retry_after for status, retry_after in answers if status == 503} == {"5"}
    assert len(provider.requests) == 2
    assert after == (200, None)


def click_on_provider(url: str) -> tuple[int, str | None]:
    """Press the button on the sign-in page; the status of the response, and when to try again."""
    with requests.Session() as browser:
        page = browser.get(f"{url}/login/", headers={"Accept": "text/html"}, timeout=60).text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        response = browser.post(
            f"{url}/login/acme/", {"csrf_token": token}, headers={"Accept": "text/html", "Origin": url}, timeout=60
        )
    return response.status_code, response.headers.get("Retry-After")
