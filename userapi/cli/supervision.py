"""The server's parent process: it starts a worker again that ended, and leaves the others alone."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from granian.server import MPServer

#: How long before a worker that keeps ending is started again, in seconds; each time twice as long. The first time
#: there is no delay.
FIRST_DELAY = 1.0
MAX_DELAY = 60.0

#: A worker that has run for so long, in seconds, is started again without a delay.
STEADY = 60.0


class Supervisor(MPServer):
    """Granian, whose own loop ends the whole service when a worker ends twice within seconds."""

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
        is_first = previous is None or ran >= STEADY
        delay = 0.0 if is_first else min(MAX_DELAY, max(FIRST_DELAY, 2 * (previous or 0)))
        structlog.get_logger("userapi.workers").error(
            "worker_ended", worker=index + 1, exit_code=worker.inner.exitcode, ran=round(ran, 1), starts_in=delay
        )
        return delay

    def _start_again(self, index: int, spawn_target: Any, target_loader: Callable[..., Any]) -> None:
        worker = self._spawn_worker(idx=index, target=spawn_target, callback_loader=target_loader)
        try:
            worker.start()
        except OSError:  # the system can start no process now
            self.interrupt_children.append(index)
            self.main_loop_interrupt.set()
        else:
            self.wrks[index] = worker
            self._metrics.incr_spawn(1)
            self._metrics.incr_respawn_err(1)
