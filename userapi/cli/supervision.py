"""The server's parent process: it restarts workers that have ended, and does not touch the others."""

import logging
import time
from collections.abc import Callable
from typing import Any

from granian.server import MPServer

log = logging.getLogger("userapi.workers")

#: Seconds before a worker that keeps crashing is restarted, doubled each time. The first restart is immediate.
MIN_DELAY = 1.0
MAX_DELAY = 60.0

#: A worker that ran for this many seconds is restarted without delay.
STABLE_AFTER = 60.0


class Supervisor(MPServer):
    """Granian's server with our own loop. Granian's stops the whole service if a worker crashes twice in seconds."""

    def _serve_loop(self, spawn_target: Any, target_loader: Callable[..., Any]) -> None:
        delays: dict[int, float] = {}
        due: dict[int, float] = {}
        while True:
            self.main_loop_interrupt.wait(max(0, min(due.values()) - time.monotonic()) if due else None)
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                return
            if self.reload_signal:
                self._reload(spawn_target, target_loader)
            while self.interrupt_children:
                index = self.interrupt_children.pop()
                delays[index] = self._next_delay(index, delays.get(index))
                due[index] = time.monotonic() + delays[index]
            for index in [index for index, moment in due.items() if moment <= time.monotonic()]:
                del due[index]
                if not self.wrks[index].is_alive():
                    self._start_again(index, spawn_target, target_loader)

    def _next_delay(self, index: int, previous: float | None) -> float:
        worker = self.wrks[index]
        ran = time.monotonic() - worker.birth
        is_first = previous is None or ran >= STABLE_AFTER
        delay = 0.0 if is_first else min(MAX_DELAY, max(MIN_DELAY, 2 * (previous or 0)))
        facts = {"worker": index + 1, "exit_code": worker.inner.exitcode, "ran": round(ran, 1), "starts_in": delay}
        log.error("worker_ended", extra=facts)
        return delay

    def _start_again(self, index: int, spawn_target: Any, target_loader: Callable[..., Any]) -> None:
        worker = self._spawn_worker(idx=index, target=spawn_target, callback_loader=target_loader)
        try:
            worker.start()
        except OSError:  # the system cannot start a process now
            self.interrupt_children.append(index)
            self.main_loop_interrupt.set()
        else:
            self.wrks[index] = worker
            self._metrics.incr_spawn(1)
            self._metrics.incr_respawn_err(1)
