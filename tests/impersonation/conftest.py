"""Applications in which staff may act as users."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.impersonation import RunningImpersonation, begin


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An application with the setting IMPERSONATION."""
    return make_app(IMPERSONATION="true")


@pytest.fixture
def running(app: Flask) -> RunningImpersonation:
    """A member of staff acts as a user."""
    return begin(app)
