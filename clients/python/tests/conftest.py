"""What the tests of the kit share."""

from collections.abc import Iterator

import pytest

from clients.python.tests.issuer import Clock, Issuer, run_issuer


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with run_issuer() as issuer:
        yield issuer


@pytest.fixture
def clock() -> Clock:
    return Clock()
