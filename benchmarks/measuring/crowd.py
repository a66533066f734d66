"""Parallel sign-ins by clients that honour Retry-After."""

import http.client
import threading
import time
from dataclasses import dataclass

from .load import Request
from .servers import Server


@dataclass
class Tally:
    """The outcome of the requests."""

    served: int = 0
    unavailable: int = 0
    failed: int = 0


def sign_in(server: Server, requests: list[Request], count: int, seconds: float) -> Tally:
    """Let clients sign in repeatedly, all starting at the same time.

    Args:
        server: the server.
        requests: their requests, used in turn.
        count: the number of clients.
        seconds: the duration.
    """
    tally, lock, end = Tally(), threading.Lock(), time.monotonic() + seconds
    together = threading.Barrier(count)

    def client(number: int) -> None:
        request = requests[number % len(requests)]
        together.wait()
        while time.monotonic() < end:
            status, pause = _send(server, request)
            with lock:
                tally.served += status == 200
                tally.unavailable += status == 503
                tally.failed += status not in (200, 503)
            time.sleep(min(pause, max(end - time.monotonic(), 0)))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def _send(server: Server, request: Request) -> tuple[int, float]:
    """Send a request; returns its status and the seconds to wait before the next."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(request.method, request.path, request.body, request.headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, float(answer.getheader("Retry-After", "0"))
    except (OSError, http.client.HTTPException):
        return 0, 0.1
    finally:
        connection.close()
