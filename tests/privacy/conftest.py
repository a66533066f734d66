"""The fixtures of the tests about closed accounts."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from userapi.core import clock


@pytest.fixture
def days_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock to a number of days after now."""
    now = clock.now()

    def move(days: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=days))

    return move
