"""A background loop that starts threads that send, so that a receiver that does not respond delays no other."""

import logging
import threading
import time
from collections.abc import Callable

from flask import Flask

from . import job_runner, loop
from .loop import BackgroundLoop, Round


class SenderLoop(BackgroundLoop):
    """The thread that looks for what is due, and starts those that send it.

    A receiver that does not respond occupies one sender until its timeout. In a server, the thread starts with the
    first thing that is queued.

    Args:
        app: the application.
        name: the name of the threads.
        interval: how often to look for what other processes queued, or what is due again, in seconds.
        count_due: counts the receivers that something is due for, up to a limit.
        send: sends one thing after the other until nothing is due, or its argument returns true.
        when_idle: called in each round in which nothing is being sent.
        limit: returns the maximum number of senders.
        logger: the logger of failures.
        failure: the event that is logged for a failure.
    """

    def __init__(
        self,
        app: Flask,
        name: str,
        interval: float,
        *,
        count_due: Callable[[int], int],
        send: Callable[[Flask, Callable[[], bool]], object],
        when_idle: Callable[[], object],
        limit: Callable[[], int],
        logger: str,
        failure: str,
    ) -> None:
        super().__init__(app, name, self._start_senders, interval, logger=logger, failure=failure)
        self._count_due, self._send, self._when_idle, self._limit = count_due, send, when_idle, limit
        self._senders: set[threading.Thread] = set()
        self._logger, self._event = logging.getLogger(logger), failure

    def wake(self) -> None:
        """Start a round now; in a server, start the thread if it does not run."""
        runner = self.app.extensions[loop.LOOPS].get(job_runner.NAME)
        if runner is not None and runner.is_running():
            self.start()
        super().wake()

    def stop(self) -> None:
        """Stop after what is being sent, and wait for that up to `SHUTDOWN_TIMEOUT`."""
        super().stop()
        end = time.monotonic() + loop.SHUTDOWN_TIMEOUT
        for sender in list(self._senders):
            sender.join(max(0, end - time.monotonic()))

    def _start_senders(self, stop: Callable[[], bool]) -> Round:
        limit = self._limit() - len(self._senders)
        for _number in range(self._count_due(limit) if limit > 0 else 0):
            sender = threading.Thread(target=self._run_sender, args=(stop,), name=self.name, daemon=True)
            self._senders.add(sender)
            sender.start()
        if not self._senders:
            self._when_idle()
        return Round.DONE

    def _run_sender(self, stop: Callable[[], bool]) -> None:
        has_ended = False
        try:
            self._send(self.app, stop)
            has_ended = True
        except Exception as error:
            self._logger.exception(self._event, extra={"error": type(error).__name__})
        finally:
            self._senders.discard(threading.current_thread())
        if has_ended:  # something may have become due since it looked; after an error, wait for the next round
            BackgroundLoop.wake(self)
