"""Simultaneous second steps against a server with two workers."""

from collections import Counter
from pathlib import Path

import pytest
import requests
from flask import Flask

from tests.support import commands, http_server
from tests.support.race import run_simultaneously
from tests.support.sql import execute_sql, fetch_number
from tests.support.two_steps import LOGIN, SECOND_STEP, Owner, make_owner

pytestmark = [pytest.mark.both, pytest.mark.slow]

SESSIONS = "SELECT count(*) FROM login_sessions"


def start(server: http_server.Server, owner: Owner) -> str:
    """The token of a new sign-in that waits for its second step."""
    response = requests.post(server.url + LOGIN, json=owner.credentials, timeout=30)
    assert response.status_code == 401, response.text
    return str(response.json()["mfa_token"])


def send(server: http_server.Server, token: str, code: str) -> str:
    """The outcome of a second step: the code of a problem, or its absence."""
    body = {"mfa_token": token, "code": code}
    response = requests.post(server.url + SECOND_STEP, json=body, timeout=30)
    return str(response.json().get("code", "signed in"))


def test_S08_S64_one_of_many_simultaneous_second_steps_begins_a_session(app: Flask, tmp_path: Path) -> None:
    owner = make_owner(app)
    environment = commands.environment_for(app, WORKERS="2", RATELIMIT_ENABLED="false")
    with http_server.run_server(tmp_path, environment) as server:
        tokens = [start(server, owner) for _n in range(30)]
        code = owner.phone.code()
        same_code = run_simultaneously([lambda token=token: send(server, token, code) for token in tokens])
        assert Counter(same_code)["signed in"] == 1, Counter(same_code)
        assert set(same_code) <= {"signed in", "invalid_code", "rate_limited"}
        assert fetch_number(app, SESSIONS) == 1

        execute_sql(app, "UPDATE second_factors SET failures = 0, last_failed_at = NULL")
        token = start(server, owner)
        same_token = run_simultaneously(
            [lambda each=each: send(server, token, each) for each in owner.recovery_codes * 2]
        )
        assert Counter(same_token)["signed in"] == 1, Counter(same_token)
        assert set(same_token) <= {"signed in", "invalid_code", "mfa_token_invalid", "rate_limited"}
        assert fetch_number(app, SESSIONS) == 2
        assert fetch_number(app, "SELECT count(*) FROM recovery_codes WHERE used_at IS NOT NULL") == 1
