"""Another service verifies tokens with the examples in the documentation, without sharing a secret."""

import subprocess
import sys

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import config
from tests.support import http_server, node
from tests.support.app_stack import register, tokens_for

EXAMPLES = config.ROOT / "docs" / "examples"


@pytest.fixture(params=["verify_token.py", "verify_token.mjs"])
def verifier(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The command of an example."""
    name = str(request.param)
    if name.endswith(".py"):
        return (sys.executable, str(EXAMPLES / name))
    return (str(node.node_path()), str(EXAMPLES / name))


def verify(verifier: tuple[str, ...], server: http_server.Server, token: str, audience: str = "userapi") -> str:
    """What the other service prints for a token."""
    done = subprocess.run(
        [*verifier, server.url, audience], input=token, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == (0 if done.stdout else 1), done
    return done.stdout.strip() or done.stderr.partition(":")[0]


def test_another_service_accepts_only_valid_tokens(server: http_server.Server, verifier: tuple[str, ...]) -> None:
    tokens = tokens_for(server.url, register(server.url))
    access = tokens["access_token"]
    claims = jwt.decode(access, options={"verify_signature": False})
    kid = {"kid": jwt.get_unverified_header(access)["kid"]}
    other_key = ec.generate_private_key(ec.SECP256R1())
    first, _body, signature = access.split(".")
    forged = {
        "a refresh token": tokens["refresh_token"],
        "signed with another key": jwt.encode(claims, other_key, "ES256", headers=kid),
        "not signed": jwt.encode(claims, None, "none", headers=kid),
        "an unknown key id": jwt.encode(claims, other_key, "ES256", headers={"kid": "theirs"}),
        "another body": f"{first}.{jwt.encode(claims | {'sub': '1'}, other_key, 'ES256').split('.')[1]}.{signature}",
        "cut": access[:-10],
        "nothing": "",
    }

    assert verify(verifier, server, access) == f"user {claims['sub']}"
    assert verify(verifier, server, access, audience="another") == "rejected"
    assert {name: verify(verifier, server, token) for name, token in forged.items()} == dict.fromkeys(
        forged, "rejected"
    )
