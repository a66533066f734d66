"""Another service asks for a stronger or newer proof of identity with the examples in the documentation."""

import json
import subprocess
import sys
import time
from typing import Any

import jwt
import pytest

import config
from tests.support import http_server, node
from tests.support.app_stack import register, tokens_for

EXAMPLES = config.ROOT / "docs" / "examples"
MINUTES = 60


def decision(example: str, claims: dict[str, Any], level: str, seconds: int) -> str:
    """What the example prints about the claims of a token."""
    program = sys.executable if example.endswith(".py") else str(node.node_path())
    done = subprocess.run(
        [program, str(EXAMPLES / example), level, str(seconds)],
        input=json.dumps(claims), capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize("example", ["step_up.py", "step_up.mjs"])
def test_another_service_asks_for_the_proof_of_identity_that_it_needs(server: http_server.Server, example: str) -> None:
    access = tokens_for(server.url, register(server.url))["access_token"]
    claims = jwt.decode(access, options={"verify_signature": False})
    older = claims | {"auth_time": int(time.time()) - 6 * MINUTES}
    challenge = 'Bearer error="insufficient_user_authentication"'

    assert decision(example, claims, "aal1", 5 * MINUTES) == "enough"
    assert decision(example, claims | {"acr": "aal2"}, "aal2", 5 * MINUTES) == "enough"
    assert decision(example, claims, "aal2", 5 * MINUTES) == f'{challenge}, acr_values="aal2", max_age=300'
    assert decision(example, older, "aal1", 5 * MINUTES) == f'{challenge}, acr_values="aal1", max_age=300'
