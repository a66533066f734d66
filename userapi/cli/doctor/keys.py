"""The keys that sign tokens: there, readable by us alone, not too old, and they sign."""

from collections.abc import Iterator
from pathlib import Path

import jwt
from flask import current_app

from userapi.core import clock
from userapi.core.signing import KeyProblem, KeyRing

from .findings import Finding, ok, trouble, warning

#: A key that has signed for so many days should be followed by another.
OLD = 366


def check() -> Iterator[Finding]:
    """Look at the key folder."""
    ring = KeyRing(Path(current_app.config["JWT_KEY_DIR"]))
    try:
        newest, *others = [ring.newest(), *ring.all()[1:]]
    except KeyProblem as problem:
        yield trouble("keys", str(problem))
        return
    token = jwt.encode({"sub": "doctor"}, newest.private, algorithm=current_app.config["JWT_ALGORITHM"])
    jwt.decode(token, newest.public, algorithms=current_app.config["JWT_DECODE_ALGORITHMS"])
    yield ok("keys", f"{newest.name} signs; {len(others)} more verify")
    for path in sorted(ring.folder.glob("*.pem")):
        if path.stat().st_mode & 0o077:
            yield trouble("keys", f"JWT_KEY_DIR: others may read {path}. If it is still secret: chmod 600 {path}")
    days = (clock.now() - ring.made_at(newest)).days
    if days > OLD:
        yield warning("keys", f"The key that signs is {days} days old. `flask keys rotate` makes a new one.")
