"""The listening socket of a worker, which a stop closes without losing connections.

The kernel completes connections before the worker accepts them. If the socket closes in between, or a connection closes
before its request was read, the client is disconnected after it has sent the request, and cannot know whether it was
processed. `docs/decisions/0119-stops-without-lost-connections.md` compares the alternatives.
"""

import os
import socket
import sys
import time
from typing import Any

#: The seconds for which a stopping worker accepts the connections that exist, and reads their requests.
SECONDS_TO_ACCEPT = 0.25

#: From Linux's linux/in.h and linux/in6.h; Python has no names for them.
IP_MINTTL, IPV6_MINHOPCOUNT = 21, 73


def open_listener(listener: tuple[Any, Any]) -> tuple[None, Any]:
    """Create the worker's socket, which granian would otherwise create out of reach of Python.

    Args:
        listener: the specification of the socket, or None; and the socket that all workers share, or None. On Linux,
            each worker has its own.
    """
    specification, shared = listener
    return None, shared or specification.build()


def accept_arrived_connections(listener: tuple[None, Any]) -> None:
    """Accept the connections that clients have opened, and no new ones, for a moment.

    From now on, the socket drops segments with a hop limit below 255, the highest, which systems do not use by default
    (RFC 5082 describes this option). A client that opens a connection in this moment tries again after a second, is
    refused, and nginx turns to another host.
    """
    if sys.platform != "linux":
        return
    with socket.socket(fileno=os.dup(listener[1].get_fd())) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, 255)
    time.sleep(SECONDS_TO_ACCEPT)
