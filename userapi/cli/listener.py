"""The listening socket of a worker, which a stop closes without losing connections.

The kernel completes connections before the worker accepts them. If the socket closes in between, or a connection closes
before its request was read, the client is disconnected after it has sent the request, and cannot know whether it was
processed. `docs/decisions/0119-stops-without-lost-connections.md` compares the alternatives.
"""

import ctypes
import os
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import Any

#: The seconds for which a stopping worker accepts the connections that exist, and reads their requests.
SECONDS_TO_ACCEPT = 0.25

#: From Linux's asm-generic/socket.h; Python has no name for it.
SO_ATTACH_FILTER = 26

#: A packet filter (Linux: Documentation/networking/filter.rst) that drops the segments that open connections. It sees a
#: segment from its TCP header on, where byte 13 holds the flags (RFC 9293, section 3.1).
WITHOUT_SYN = (
    (0x30, 0, 0, 13),  # load the flags
    (0x45, 0, 1, 0x02),  # without SYN, skip the next instruction
    (0x06, 0, 0, 0),  # drop the segment
    (0x06, 0, 0, 0xFFFFFFFF),  # keep all of it
)


def open_listener(listener: tuple[Any, Any]) -> tuple[None, Any]:
    """Create the worker's socket, which granian would otherwise create out of reach of Python.

    Args:
        listener: the specification of the socket, or None; and the socket that all workers share, or None. On Linux,
            each worker has its own.
    """
    specification, shared = listener
    return None, shared or specification.build()


def accept_arrived_connections(listener: tuple[None, Any]) -> None:
    """Accept the connections that clients have opened or are opening, and no new ones, for a moment.

    A client that opens one in this moment gets no answer. It tries again after a second, is refused, and nginx turns to
    another host.
    """
    if sys.platform != "linux":
        return
    instructions = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in WITHOUT_SYN))
    program = struct.pack("HP", len(WITHOUT_SYN), ctypes.addressof(instructions))
    with suppress(OSError), socket.socket(fileno=os.dup(listener[1].get_fd())) as sock:
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        time.sleep(SECONDS_TO_ACCEPT)
