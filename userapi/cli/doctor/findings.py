"""What the doctor finds."""

import enum
from typing import NamedTuple


class Level(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    TROUBLE = "trouble"


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        subject: the part it is about.
        level: how bad it is.
        text: what was found and what to do; never a secret.
    """

    subject: str
    level: Level
    text: str


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(subject, Level.OK, text)


def warning(subject: str, text: str) -> Finding:
    """It works, and it should be better."""
    return Finding(subject, Level.WARNING, text)


def trouble(subject: str, text: str) -> Finding:
    """It does not work, or it is not safe."""
    return Finding(subject, Level.TROUBLE, text)


def said(error: BaseException) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
