"""Checks of the signing keys: they work, no other user can read them, and they are not too old."""

from collections.abc import Iterator
from pathlib import Path

import jwt
from flask import current_app

from userapi.core import clock, private_files
from userapi.security.signing_keys import KeyFolderError, KeyRing

from .findings import Finding, failure, warning

#: The number of days after which a signing key should be rotated.
OLD = 366


def check() -> Iterator[Finding]:
    """Check the key folder."""
    ring = KeyRing(Path(current_app.config["JWT_KEY_DIR"]))
    try:
        newest = ring.newest()
    except KeyFolderError:
        return  # reported by the health checks
    token = jwt.encode({"sub": "doctor"}, newest.private, algorithm=current_app.config["JWT_ALGORITHM"])
    jwt.decode(token, newest.public, algorithms=current_app.config["JWT_DECODE_ALGORITHMS"])
    for path in sorted(ring.folder.glob("*.pem")):
        if private_files.is_accessible_to_others(path):
            level = failure if private_files.is_accessible_to_all(path) else warning
            yield level("keys", f"JWT_KEY_DIR: {private_files.describe_exposure(path)}")
    days = (clock.now() - ring.created_at(newest)).days
    if days > OLD:
        yield warning("keys", f"The signing key is {days} days old. To create a new one, run `flask keys rotate`.")
