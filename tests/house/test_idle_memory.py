"""What a worker keeps of the memory that password hashes needed."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.support.waiting import wait_until
from userapi.security import hashing_threads
from userapi.security.idle_memory import return_free_memory

MakeApp = Callable[..., Flask]

#: The memory of one hash at the default cost, in KiB.
ONE_HASH = 19_456


def read_private_memory() -> int:
    """What only this process occupies, in KiB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and only glibc keeps such memory")
def test_a_worker_without_sign_ins_returns_the_memory_of_hashes(make_app: MakeApp) -> None:
    app = make_app(PASSWORD_HASH_MEMORY=str(ONE_HASH), PASSWORD_HASH_TIME="1")
    hashing = hashing_threads.get_hashing(app)
    hashing.normal.idle_timer.idle = 1.0
    with app.app_context():
        hashing.run(return_free_memory)  # also before the first hash, from which the C library learns what to keep
        for _again in range(3):  # the first one teaches the C library to keep such blocks
            hashing.run(lambda: hashing.hasher.hash("a password"))
    kept = read_private_memory()

    wait_until(lambda: read_private_memory() < kept - ONE_HASH * 3 // 4)
