"""Processes that are killed during a second step (kill -9) leave nothing half done."""

import sys

import pytest
from flask import Flask

from tests.support import commands
from tests.support.sql import fetch_number, fetch_rows
from tests.support.two_steps import Owner, make_owner

pytestmark = pytest.mark.both

#: Does a second step in a process that kills itself when it calls a function.
SCRIPT = """
import importlib, json, os, signal, sys
module, name, body = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
from userapi.serving import app
found = importlib.import_module(module)
setattr(found, name, lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL))
app.test_client().post("/userapi/auth/login/second-step/", json=body)
"""


@pytest.fixture
def owner(app: Flask) -> Owner:
    return make_owner(app)


def do_second_step_until(owner: Owner, module: str, name: str) -> tuple[str, str]:
    """Do a second step in a process that is killed at a function; the token and the code that it sent."""
    token, code = owner.mfa_token(), owner.phone.code()
    body = f'{{"mfa_token": "{token}", "code": "{code}"}}'
    done = commands.run(sys.executable, "-c", SCRIPT, module, name, body, env=commands.environment_for(owner.app))
    assert done.code == -9, done.errors
    return token, code


def state(owner: Owner) -> tuple[int, int, int]:
    """The number of codes that were counted, of sign-ins that were finished, and of sessions."""
    statements = (
        "SELECT failures FROM second_factors",
        "SELECT count(*) FROM pending_sign_ins WHERE used_at IS NOT NULL",
        "SELECT count(*) FROM login_sessions",
    )
    failures, used, sessions = (fetch_number(owner.app, statement) for statement in statements)
    return failures, used, sessions


def test_S86_a_code_that_was_counted_and_not_checked_stays_counted(owner: Owner) -> None:
    token, code = do_second_step_until(owner, "userapi.mfa.codes", "check")

    assert state(owner) == (1, 0, 0)
    assert owner.second_step(token, code).status_code == 200
    assert state(owner) == (0, 1, 1)


def test_S86_a_code_that_was_checked_and_not_committed_can_be_sent_again(owner: Owner) -> None:
    token, code = do_second_step_until(owner, "userapi.auth.sessions", "begin_session")

    assert state(owner) == (1, 0, 0)
    assert owner.second_step(token, code).status_code == 200


def test_S86_a_code_whose_response_was_lost_stays_used(owner: Owner) -> None:
    token, code = do_second_step_until(owner, "userapi.auth.sign_in_responses", "json_response")

    assert state(owner) == (0, 1, 1)
    assert fetch_rows(owner.app, "SELECT amr FROM login_sessions") == [("pwd otp mfa",)]
    assert owner.second_step(token, owner.phone.code(1)).get_json()["code"] == "mfa_token_invalid"
    assert owner.second_step(owner.mfa_token(), code).get_json()["code"] == "invalid_code"
    assert owner.second_step(owner.mfa_token(), owner.phone.code(1)).status_code == 200
