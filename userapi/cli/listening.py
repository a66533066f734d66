"""Where `make run` listens: the host name is resolved and the port reserved before any file is created."""

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .failures import CannotStart


@contextmanager
def reserved(host: str, port: int) -> Iterator[str]:
    """Reserve a port for the workers of this program.

    Args:
        host: an IP address or a name.
        port: the port.

    Yields:
        The IP address: the first IPv4 address of the name, or else its first IPv6 address.

    Raises:
        CannotStart: the name has no IP address, the port is in use, or this process may not listen there.
    """
    ip = _resolve(host, port)
    try:
        taken = _take(ip, port)
    except OSError as error:
        raise CannotStart(_reason(error, host, ip, port)) from error
    with taken:
        yield ip


def _resolve(host: str, port: int) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotStart(f"HOST: Cannot find the IP address of {host}: {error.strerror}.") from error
    address = min(found, key=lambda each: each[0] != socket.AF_INET)[4]
    return str(address[0])


def _take(ip: str, port: int) -> socket.socket:
    """Handle a socket that has listened briefly, which only one of several sockets bound to a port can do.

    On Linux each worker listens with its own socket, all bound with SO_REUSEPORT. With this option the socket can
    stay bound next to theirs without receiving connections. On other systems it is closed.
    """
    taken = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((ip, port))
        taken.listen(1)
        if sys.platform != "linux":
            taken.close()
            return taken
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.shutdown(socket.SHUT_RD)
    except OSError:
        taken.close()
        raise
    return taken


def _reason(error: OSError, host: str, ip: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        another = port + 1 if port < 65535 else 8000
        advice = f"Stop the other program, or choose another port: make run PORT={another}"
        return f"PORT: {port} is already in use on {host}. {advice}"
    if error.errno == errno.EADDRNOTAVAIL:
        which = ip if host == ip else f"{ip}, which {host} resolves to"
        return (
            f"HOST: This machine does not have the IP address {which}. To listen on all its IP addresses, use 0.0.0.0."
        )
    return f"HOST, PORT: Cannot listen on {host}, port {port}: {error.strerror}."
