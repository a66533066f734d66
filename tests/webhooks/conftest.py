"""What tests of webhooks share."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.email_delivery import MoveClock
from tests.support.webhook_receivers import allow_receivers
from userapi.core import clock


@pytest.fixture
def sender(app: Flask) -> Iterator[Flask]:
    """An application in its context, whose webhooks may be on this machine."""
    allow_receivers(app)
    with app.app_context():
        yield app


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> MoveClock:
    """Moves the clock on from where it is, and stops it there."""

    def move(by: timedelta) -> None:
        moment = clock.now() + by
        monkeypatch.setattr(clock, "now", lambda: moment)

    return move
