"""The clock of the service in the process of the tests."""

from datetime import timedelta

import pytest

from userapi.core import clock


def move_clock(monkeypatch: pytest.MonkeyPatch, passed: timedelta) -> None:
    """Let some time pass."""
    then = clock.now() + passed
    monkeypatch.setattr("userapi.core.clock.now", lambda: then)
