"""IP addresses of other services: how a host name is resolved, and which addresses are public."""

import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Thread

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: The addresses that may be public (the IANA registries of special-purpose addresses, RFC 6890), and those that are not
#: although Python calls them global: relays, tunnels and translations, behind which there may be a private address.
_IPV6_UNICAST = ipaddress.ip_network("2000::/3")
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


class NameNotResolved(Exception):
    """The name of a host has no IP address."""


class NoAnswerInTime(Exception):
    """The resolver did not answer in time."""


def is_public(address: Address) -> bool:
    """Whether an IP address belongs to a host on the Internet, rather than to this machine, a network or a tunnel."""
    if any(address in network for network in _NOT_PUBLIC):
        return False
    if address.version == 6:
        return address in _IPV6_UNICAST
    return address.is_global and not address.is_multicast


def resolve(host: str, port: int, timeout: float) -> list[Address]:
    """All IP addresses of a host, in the order in which they should be tried.

    The resolver of the system cannot be stopped, so it runs in a thread of its own, which may outlive this call.

    Args:
        host: a name, or an IP address in any spelling.
        port: the port that will be connected to.
        timeout: how long to wait, in seconds.

    Raises:
        NameNotResolved: it has none.
        UnicodeError: a label of the name is empty or too long.
        NoAnswerInTime: the resolver did not answer in time.
    """
    answer: Future[list[Address]] = Future()

    def look_up() -> None:
        try:
            answer.set_result(_look_up(host, port))
        except Exception as error:
            answer.set_exception(error)

    Thread(target=look_up, daemon=True, name="resolver").start()
    try:
        return answer.result(max(timeout, 0))
    except TimeoutError as error:
        raise NoAnswerInTime(host) from error


def read_literal(host: str) -> Address | None:
    """The IP address that a host is written as, such as 127.0.0.1, 127.1, 0x7f.1 or ::1; None for a name."""
    try:
        return _look_up(host, 0, socket.AI_NUMERICHOST)[0]
    except NameNotResolved:
        return None


def _look_up(host: str, port: int, flags: int = 0) -> list[Address]:
    try:
        answers: Sequence[tuple[object, ...]] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except socket.gaierror as error:
        raise NameNotResolved(host) from error
    return [ipaddress.ip_address(answer[4][0]) for answer in answers]  # type: ignore[index]
