"""A full queue of password hashing."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from userapi.security.fair_queue import FairQueue, NoTurnError


@contextmanager
def full_queue(queue: FairQueue) -> Iterator[None]:
    """Occupy every turn and leave no place in the queue, inside the block."""
    with ExitStack() as others:
        others.callback(setattr, queue, "size", queue.size)
        queue.size = 0
        try:
            while True:
                others.enter_context(queue.take_turn("others"))
        except NoTurnError:
            yield
