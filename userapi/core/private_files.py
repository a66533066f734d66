"""Files with secrets: which of them other users can read, and what to do about it."""

import stat
from pathlib import Path


def is_accessible_to_all(path: Path) -> bool:
    """Whether every user of this machine can read or write a file."""
    return bool(path.stat().st_mode & stat.S_IRWXO)


def is_accessible_to_others(path: Path) -> bool:
    """Whether any other user can read or write a file, its group included."""
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def describe_exposure(path: Path) -> str:
    """What is wrong with a secret that others can read, and how to close it, also where it is mounted."""
    others = "Other users of this machine" if is_accessible_to_all(path) else "The users of its group"
    return (
        f"{others} can read {path}. If it is still secret, run: chmod 600 {path}. "
        "For a mounted secret of Kubernetes or Compose, set defaultMode or mode to 0400, or to 0440 with fsGroup."
    )
