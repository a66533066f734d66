"""The results of checks."""

import enum
from typing import Any, NamedTuple


class Level(enum.StrEnum):
    """The severity of a result."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Finding(NamedTuple):
    """One part of the service, or one line of `flask doctor`.

    Attributes:
        part: such as `database`.
        level: its severity.
        text: for operators, in English: what was found and what to do. It contains no secrets.
        state: `ok`, or a few words for the problem that anyone may see.
        explanation: for staff, a lazy text; it contains no host name and no path.
    """

    part: str
    level: Level
    text: str
    state: str = "ok"
    explanation: Any = ""


def ok(part: str, text: str, explanation: Any = "") -> Finding:
    """It works."""
    return Finding(part, Level.OK, text, explanation=explanation)


def warning(part: str, text: str, state: str = "warning", explanation: Any = "") -> Finding:
    """It works, but something should be changed."""
    return Finding(part, Level.WARNING, text, state, explanation)


def failure(part: str, text: str, state: str = "error", explanation: Any = "") -> Finding:
    """It does not work, or it is not safe."""
    return Finding(part, Level.ERROR, text, state, explanation)
