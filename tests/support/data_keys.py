"""Data keys for tests."""

import os
from pathlib import Path

from userapi.security.data_keys import DataKey, DataKeys

HOUR = 3600


def make_old_data_keys(folder: Path) -> list[DataKey]:
    """Create two keys, the newest first; every worker has known them for an hour."""
    keys = DataKeys(folder)
    created = [keys.add(), keys.add()]
    age_data_keys(folder)
    return created[::-1]


def age_data_keys(folder: Path) -> None:
    """Let every key be an hour older."""
    for path in folder.glob("*.key"):
        moment = path.stat().st_mtime - HOUR
        os.utime(path, (moment, moment))
