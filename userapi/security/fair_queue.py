"""Turns at something costly: clients take turns, so that none gets more than its share while others wait."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class NoTurn(Exception):
    """Too many wait already, or no turn came in time."""


class _Waiting:
    """A request that waits until it is decided whether it gets a turn."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.has_turn = False
        self.decided = threading.Event()

    def decide(self, has_turn: bool) -> None:
        """Let it go on, with or without a turn."""
        self.has_turn = has_turn
        self.decided.set()


class Turns:
    """So many have a turn at the same time; some more wait in places.

    The next turn goes to the client whose last one is the longest ago, however many of its requests wait. A client may
    use all places while no other needs them: then the one with the most places loses its newest request to a client
    that has fewer.

    Args:
        concurrency: how many may have a turn at the same time.
        places: how many may wait for one.
        patience: how long each of them waits, in seconds.
    """

    def __init__(self, concurrency: int, places: int, patience: float) -> None:
        self.places = places
        self._free = concurrency
        self._patience = patience
        self._lock = threading.Lock()
        self._queues: dict[str, deque[_Waiting]] = {}  # of each client that waits; the next client comes first

    @contextmanager
    def turn(self, client: str) -> Iterator[None]:
        """Wait for a turn, and have it in the block.

        Raises:
            NoTurn: before the block.
        """
        self._wait(client)
        try:
            yield
        finally:
            self._pass_on()

    def _wait(self, client: str) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiting = self._join(client)
        if not waiting.decided.wait(self._patience):
            with self._lock:
                if not waiting.decided.is_set():
                    self._remove(waiting)
        if not waiting.has_turn:
            raise NoTurn

    def _join(self, client: str) -> _Waiting:
        if sum(map(len, self._queues.values())) >= self.places:
            self._make_room(client)
        waiting = _Waiting(client)
        self._queues.setdefault(client, deque()).append(waiting)
        return waiting

    def _make_room(self, client: str) -> None:
        most: Sequence[_Waiting] = max(self._queues.values(), key=len, default=())
        if len(most) <= len(self._queues.get(client, ())) + 1:
            raise NoTurn
        newest = most[-1]
        self._remove(newest)
        newest.decide(False)

    def _remove(self, waiting: _Waiting) -> None:
        queue = self._queues[waiting.client]
        queue.remove(waiting)
        if not queue:
            del self._queues[waiting.client]

    def _pass_on(self) -> None:
        with self._lock:
            if not self._queues:
                self._free += 1
                return
            client = next(iter(self._queues))
            queue = self._queues.pop(client)
            queue.popleft().decide(True)
            if queue:
                self._queues[client] = queue
