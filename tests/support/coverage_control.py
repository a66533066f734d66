"""Coverage is measured once per test, because measuring doubles the time.

A test that runs on both databases is measured on SQLite. Tests in a browser, the fuzzer and tests marked `unmeasured`
are not measured, because they call what other tests call; neither are the commands and servers that they start.
"""

import os

import coverage
import pytest

NOT_MEASURED = ("browser", "fuzz", "unmeasured")

#: The paused measurements of this process, in the order they started: a worker of pytest-xdist has two.
PAUSED = pytest.StashKey[list[coverage.Coverage]]()


def is_measured(item: pytest.Item) -> bool:
    """Whether the coverage of a test counts."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return parameters.get("database_kind") != "postgresql" and not any(map(item.get_closest_marker, NOT_MEASURED))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Pause before the first of several tests that are not measured, and resume before the next that is."""
    paused = item.config.stash.setdefault(PAUSED, [])
    if is_measured(item):
        while paused:
            paused.pop().start()  # this also sets the environment variable that makes commands measure themselves
    else:
        while measuring := coverage.Coverage.current():
            measuring.stop()
            paused.append(measuring)
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
