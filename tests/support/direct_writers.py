"""Writers to each node of a database cluster, which find lost writes and two primaries."""

import itertools
import time
from contextlib import suppress
from typing import NamedTuple

import psycopg
from high_availability import HighlyAvailableStack

from tests.support.app_stack import query_database
from tests.support.running_threads import RunningThreads


class Write(NamedTuple):
    """A row that a node has acknowledged, and when it was sent and acknowledged, in seconds."""

    row: int
    node: str
    sent: float
    acknowledged: float


class Writers(RunningThreads):
    """One writer for each node, directly, without HAProxy: what a client with a stale idea of the primary would do."""

    def __init__(self, stack: HighlyAvailableStack) -> None:
        self.writes: list[Write] = []
        self._stack = stack
        self._rows = itertools.count(time.time_ns())
        # A commit that waits for a standby has no timeout.
        super().__init__(self._run, stack.nodes, timeout=30)
        with psycopg.connect(stack.database_url("postgres")) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS probes (row bigint PRIMARY KEY)")

    def _run(self, node: str) -> None:
        url = self._stack.node_url(node, "postgres") + "?connect_timeout=2"
        while not self.over.is_set():
            with suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
                while not self.over.is_set():
                    row, sent = next(self._rows), time.monotonic()
                    connection.execute("INSERT INTO probes VALUES (%s)", (row,))
                    self.writes.append(Write(row, node, sent, time.monotonic()))
                    self.over.wait(0.1)
            self.over.wait(0.2)

    def assert_one_primary_at_a_time(self) -> list[str]:
        """Check that no node acknowledged a write that was sent after another one had become the primary.

        Returns:
            the primaries in order.
        """
        order = sorted(self.writes, key=lambda write: write.acknowledged)
        primaries = [node for node, _writes in itertools.groupby(order, key=lambda write: write.node)]
        for node in set(primaries):
            later = [write.acknowledged for write in order if primaries.index(write.node) > primaries.index(node)]
            stale = [write for write in order if write.node == node and later and write.sent > min(later)]
            assert stale == [], f"{node} accepted writes after another node did"
        return list(dict.fromkeys(primaries))

    def count_lost(self) -> int:
        """The number of acknowledged rows that the present primary does not have."""
        there = {row["row"] for row in query_database(self._stack, "SELECT row FROM probes")}
        return len({write.row for write in self.writes} - there)
