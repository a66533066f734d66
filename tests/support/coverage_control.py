"""Coverage is taken once: measuring doubles what a test takes, and tells nothing the second time.

A test that runs on both databases is measured on SQLite. One marked `unmeasured` is not at all, as the fuzzer, which
calls again what other tests call. Nor are the commands and servers that such tests start.
"""

import os

import coverage
import pytest

#: The measurements of this process that rest, the last begun first: a worker of pytest-xdist has two.
PAUSED = pytest.StashKey[list[coverage.Coverage]]()


def is_measured(item: pytest.Item) -> bool:
    """Whether a test reaches lines that no other does."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return parameters.get("database_kind") != "postgresql" and item.get_closest_marker("unmeasured") is None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Rest before the first test of a row that is not measured, and go on before the next that is."""
    resting = item.config.stash.setdefault(PAUSED, [])
    if is_measured(item):
        while resting:
            resting.pop().start()  # also tells it to commands again, by the environment
    else:
        while measuring := coverage.Coverage.current():
            measuring.stop()
            resting.append(measuring)
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
