"""Client applications of a running service, registered as its operator does it."""

import json

from tests.support import commands

CALLBACK = "http://localhost:9/callback"


def register(environment: dict[str, str], *options: str, redirect_uri: str | None = CALLBACK) -> dict[str, str]:
    """Register a client on the command line; its id, its secret and the issuer.

    Args:
        environment: of the service.
        options: of `flask clients add`.
        redirect_uri: None for a client that signs in no users.
    """
    arguments = ("clients", "add", "Handbook", *(("--redirect-uri", redirect_uri) if redirect_uri else ()), "--json")
    done = commands.run(*commands.FLASK, *arguments, *options, env=environment)
    assert done.code == 0, done.errors
    found: dict[str, str] = json.loads(done.output)
    return found
