"""Registers hooks with an application for one test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from userapi.audit import subscribers
from userapi.core import hooks
from userapi.outbound import notices

Extend = Callable[..., None]


@pytest.fixture
def extend(app: Flask) -> Iterator[Extend]:
    """Registers what an extension would: `extend(rules=[Rule("user.create", check)])`."""
    before = app.extensions[hooks.REGISTRY], app.extensions[notices.KINDS]
    app.extensions[hooks.REGISTRY], app.extensions[notices.KINDS] = hooks.Hooks(), {}

    def register(extension: str = "shop", **registered: Any) -> None:
        hooks.register(app, extension, **registered)
        subscribers.configure(app)

    yield register
    app.extensions[hooks.REGISTRY], app.extensions[notices.KINDS] = before
