"""Gives memory back to the system when it has not been used for a while.

The C library keeps what password hashing allocates, 19 MiB for each thread, although a hash needs it for milliseconds.
Returning it after each hash would make a hash half as expensive again, because the system would clear the pages.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

#: How long memory is kept after its last use, in seconds.
IDLE = 10.0

#: glibc's option for the number of free bytes from which the end of a thread's memory is returned (mallopt(3)), and its
#: values: for a moment, and otherwise. Without ours, glibc would use twice the size of the largest block.
M_TRIM_THRESHOLD = -1
RETURNED, KEPT = 128 * 1024, 40 * 1024 * 1024

#: glibc's option for the size from which a block is returned when it is freed, and the highest value. glibc raises it
#: by itself when large blocks are freed, but no longer once the other option was set.
M_MMAP_THRESHOLD = -3
LARGE = 32 * 1024 * 1024

#: Freeing a block of this size makes glibc look at the end of the memory.
NOTICED = 200_000


def _find_mallopt() -> Callable[[int, int], Any] | None:
    """The function of glibc; other C libraries have none, and keep less."""
    try:
        function: Callable[[int, int], Any] = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return None
    return function


_mallopt = _find_mallopt()


def return_free_memory() -> None:
    """Return the free memory of the current thread to the system."""
    if _mallopt is not None:
        _mallopt(M_MMAP_THRESHOLD, LARGE)
        _mallopt(M_TRIM_THRESHOLD, RETURNED)
        try:
            bytes(NOTICED)
        finally:
            _mallopt(M_TRIM_THRESHOLD, KEPT)


class IdleTimer:
    """Calls a function some time after the last use of something, in a thread that runs only until then.

    Args:
        action: the function.
        idle: that time in seconds.
    """

    def __init__(self, action: Callable[[], Any], idle: float = IDLE) -> None:
        self.idle = idle
        self._action = action
        self._due = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def note_use(self) -> None:
        """Wait from now on for that time. A forked process starts a thread of its own."""
        with self._lock:
            self._due = time.monotonic() + self.idle
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._wait, name="idle-timer", daemon=True)
                self._thread.start()

    def _wait(self) -> None:
        while True:
            with self._lock:
                left = self._due - time.monotonic()
                if left <= 0:
                    self._thread = None
                    break
            time.sleep(left)
        self._action()
