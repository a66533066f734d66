"""The check of recent proofs of identity, for rules below `userapi.auth`, which knows sessions and second factors."""

from typing import Protocol

from flask import Flask, current_app

#: The name of the check among the extensions of the application.
CHECK = "userapi-proof-check"


class Check(Protocol):
    """What `userapi.auth` adds."""

    def __call__(self, *, always: bool) -> None: ...


def add_check(app: Flask, check: Check) -> None:
    """Let `userapi.auth` decide what `require_recent_proof` does."""
    app.extensions[CHECK] = check


def require_recent_proof(*, always: bool = False) -> None:
    """Require a recent proof of identity if there is a caller whose second step is on (decision 0061).

    Args:
        always: whether to require it of every caller, as where there is no password to ask for.

    Raises:
        ProofNeeded: the last proof is too old or too weak.
    """
    current_app.extensions[CHECK](always=always)
