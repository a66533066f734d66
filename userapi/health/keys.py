"""Checks of keys: they work, no other user can read them, and those that sign are not too old."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
from flask import current_app

from userapi.core import clock, private_files
from userapi.security import data_keys
from userapi.security.key_folder import KeyFolder, KeyFolderError
from userapi.security.signing_keys import RSA_FOLDER, KeyRing, RsaKeyRing, TokenKeyRing

from .findings import Finding, failure, warning

#: The number of days after which a signing key should be rotated.
OLD = 366


def check() -> Iterator[Finding]:
    """Check the folders of keys."""
    yield from _check_data_keys()
    yield from _check_signing_keys()
    yield from _check_rsa_keys()


def _check_signing_keys() -> Iterator[Finding]:
    ring = KeyRing(Path(current_app.config["JWT_KEY_DIR"]))
    try:
        newest = ring.newest()
    except KeyFolderError:
        return  # reported by the health checks
    token = jwt.encode({"sub": "doctor"}, newest.private, algorithm=current_app.config["JWT_ALGORITHM"])
    jwt.decode(token, newest.public, algorithms=current_app.config["JWT_DECODE_ALGORITHMS"])
    yield from _exposed_files(ring)
    yield from _old_key(ring)


def _check_rsa_keys() -> Iterator[Finding]:
    """RSA keys exist only where a client needs RS256."""
    ring = RsaKeyRing(Path(current_app.config["JWT_KEY_DIR"]) / RSA_FOLDER)
    try:
        has_keys = bool(ring.all())
    except KeyFolderError as problem:
        yield failure("keys", str(problem))
        return
    if has_keys:
        yield from _exposed_files(ring)
        yield from _old_key(ring)


def _old_key(ring: TokenKeyRing[Any]) -> Iterator[Finding]:
    newest = ring.newest()
    days = (clock.now() - ring.created_at(newest)).days
    if days > OLD:
        name = f"The signing key {ring.prefix}{newest.name}"
        yield warning("keys", f"{name} is {days} days old. To create a new one, run `{ring.rotate_command}`.")


def _check_data_keys() -> Iterator[Finding]:
    """Data keys exist only where a user has a second factor."""
    keys = data_keys.get_data_keys()
    try:
        keys.all()
    except KeyFolderError as problem:
        yield failure("keys", str(problem))
    yield from _exposed_files(keys)


def _exposed_files(keys: KeyFolder[Any]) -> Iterator[Finding]:
    for path in sorted(keys.folder.glob(f"*.{keys.extension}")):
        if private_files.is_accessible_to_others(path):
            level = failure if private_files.is_accessible_to_all(path) else warning
            yield level("keys", f"{keys.setting}: {private_files.describe_exposure(path)}")
