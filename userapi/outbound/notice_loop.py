"""The threads of a server that deliver notices: one that looks for due ones, and up to `SENDERS` that send them."""

import time
from collections.abc import Callable

from flask import Flask

from userapi.core.sender_loop import SenderLoop

#: The name of the loop.
LOOP = "notices"

#: How often it checks for notices that other processes queued, or that are due again, in seconds.
POLL_INTERVAL = 3.0

#: How often a server whose thread does not run looks for notices, in seconds.
SEARCH_INTERVAL = 60.0

#: The number of notices that a process sends at the same time, each to another recipient.
SENDERS = 4


class NoticeLoop(SenderLoop):
    """The thread that looks for due notices.

    Args:
        app: the application.
        count_due: counts the recipients that a notice is due for, up to a limit.
        send: sends notices until none is due.
        prune: deletes old notices, when nothing else is to do.
    """

    def __init__(
        self,
        app: Flask,
        *,
        count_due: Callable[[int], int],
        send: Callable[[Flask, Callable[[], bool]], int],
        prune: Callable[[], object],
    ) -> None:
        super().__init__(
            app,
            LOOP,
            POLL_INTERVAL,
            count_due=count_due,
            send=send,
            when_idle=prune,
            limit=lambda: SENDERS,
            logger="userapi.outbound",
            failure="notices interrupted",
        )
        self._next_search = 0.0

    def look_for_notices(self, *, stop: Callable[[], bool]) -> bool:
        """Start the thread if notices are due; never any job for the job runner itself."""
        if not self.is_running() and time.monotonic() >= self._next_search:
            self._next_search = time.monotonic() + SEARCH_INTERVAL
            if self._count_due(1):
                self.start()
        return False
