"""Which hosts requests to other services may be sent to."""

import ipaddress
from collections.abc import Sequence
from typing import Protocol

from .addresses import Address, is_public, read_literal


class NotAllowed(Exception):
    """The URL or the response breaks a rule that no later attempt changes.

    Args:
        reason: which rule, for the log.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Destinations(Protocol):
    """The hosts that a request may be sent to."""

    def check(self, scheme: str, host: str, port: int, addresses: Sequence[Address]) -> None:
        """Check a host before the connection, which goes to the first of its IP addresses.

        Args:
            scheme: of the URL, `http` or `https`.
            host: the name or IP address in the URL.
            port: that of the URL, or of its scheme.
            addresses: all IP addresses of the host.

        Raises:
            NotAllowed: the request must not be sent.
        """


class Networks:
    """Ranges of IP addresses.

    Args:
        values: the ranges in CIDR notation.
    """

    def __init__(self, values: Sequence[str]) -> None:
        self._ranges = [ipaddress.ip_network(value) for value in values]

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def include(self, address: Address) -> bool:
        """Whether an IP address is in one of the ranges."""
        return any(address in allowed for allowed in self._ranges)


class PrivateHosts:
    """Public IP addresses, and the hosts that may have private ones.

    Args:
        values: host names, and IP addresses or ranges in CIDR notation.
    """

    def __init__(self, values: Sequence[str]) -> None:
        self._names, ranges = set(), []
        for value in values:
            try:
                ipaddress.ip_network(value)
                ranges.append(value)
            except ValueError:
                self._names.add(value)
        self._networks = Networks(ranges)

    def include(self, host: str) -> bool:
        """Whether the host of a URL is one of the private ones, be it a name or an IP address."""
        try:
            return self._networks.include(ipaddress.ip_address(host))
        except ValueError:
            return host.lower().rstrip(".") in self._names

    def check(self, scheme: str, host: str, port: int, addresses: Sequence[Address]) -> None:
        """Reject a host of which one IP address is private, unless it may have one."""
        if self.include(host):
            return
        if not all(is_public(address) or self._networks.include(address) for address in addresses):
            raise NotAllowed("private IP address")


class Receivers:
    """Public hosts that are reached by name, https and a few ports; and whatever is inside the allowed networks.

    Args:
        networks: the allowed networks, in CIDR notation.
        ports: the ports outside them.
    """

    def __init__(self, networks: Sequence[str], ports: Sequence[int]) -> None:
        self.networks, self._ports = Networks(networks), ports

    def check(self, scheme: str, host: str, port: int, addresses: Sequence[Address]) -> None:
        """Reject a host of which one IP address is private, and URLs that are for the allowed networks only."""
        if all(self.networks.include(address) for address in addresses):
            return
        if not all(is_public(address) or self.networks.include(address) for address in addresses):
            raise NotAllowed("private_ip_address")
        self.check_public(scheme, host, port)

    def check_public(self, scheme: str, host: str, port: int) -> None:
        """Reject a URL that is for the allowed networks only, whatever its IP addresses are."""
        if scheme != "https":
            raise NotAllowed("https_required")
        if read_literal(host):
            raise NotAllowed("ip_address_in_url")
        if port not in self._ports:
            raise NotAllowed("port_not_allowed")
