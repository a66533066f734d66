"""What a check finds."""

import enum
from typing import Any, NamedTuple


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    TROUBLE = "error"


class Finding(NamedTuple):
    """One part of the service, or one line of `flask doctor`.

    Attributes:
        part: what it is about, as `database`.
        level: how bad it is.
        text: for operators, in English: what was found and what to do. It never holds a secret.
        state: `ok`, or a few words for the problem that are safe to show to anybody.
        explanation: for staff, a lazy text in their language; it names no host and no path.
    """

    part: str
    level: Level
    text: str
    state: str = "ok"
    explanation: Any = ""


def ok(part: str, text: str, explanation: Any = "") -> Finding:
    """All is well."""
    return Finding(part, Level.OK, text, explanation=explanation)


def warning(part: str, text: str, state: str = "warning", explanation: Any = "") -> Finding:
    """It works, and it should be better."""
    return Finding(part, Level.WARNING, text, state, explanation)


def trouble(part: str, text: str, state: str = "error", explanation: Any = "") -> Finding:
    """It does not work, or it is not safe."""
    return Finding(part, Level.TROUBLE, text, state, explanation)
