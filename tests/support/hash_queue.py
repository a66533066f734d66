"""More work than there is room for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from userapi.security.fair_queue import FairQueue, NoTurnError


@contextmanager
def full_queue(queue: FairQueue) -> Iterator[None]:
    """Let other clients have every turn and every place in the queue as long as the block lasts."""
    with ExitStack() as others:
        others.callback(setattr, queue, "size", queue.size)
        queue.size = 0
        try:
            while True:
                others.enter_context(queue.take_turn("others"))
        except NoTurnError:
            yield
