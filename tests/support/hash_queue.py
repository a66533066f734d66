"""More work than there is room for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from userapi.security.fair_queue import NoTurn, Turns


@contextmanager
def full_queue(turns: Turns) -> Iterator[None]:
    """Let others have every turn, and every place to wait for one, as long as the block lasts."""
    with ExitStack() as others:
        others.callback(setattr, turns, "places", turns.places)
        turns.places = 0
        try:
            while True:
                others.enter_context(turns.turn("others"))
        except NoTurn:
            yield
