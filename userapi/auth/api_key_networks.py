"""The IP networks that API keys can be restricted to."""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: The length of the prefix of IPv6 addresses that stand for IPv4 addresses, ::ffff:0:0/96 (RFC 4291, section 2.5.5.2).
MAPPED_PREFIX = 96


def parse_network(text: str) -> Network:
    """An IP address or IP network; one of IPv6 that stands for one of IPv4 becomes that.

    Raises:
        ValueError: it is none, or it names an interface (`fe80::1%eth0`), which only means something on one host.
    """
    if "%" in text:
        raise ValueError(text)
    network = ipaddress.ip_network(text)
    mapped = getattr(network[0], "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= MAPPED_PREFIX:
        return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED_PREFIX))
    return network


def join_networks(texts: Iterable[str]) -> str | None:
    """IP networks as a text, separated by spaces, each once; None without one.

    Raises:
        ValueError: a text is no IP network.
    """
    return " ".join(dict.fromkeys(str(parse_network(text)) for text in texts)) or None


def is_within(address: str | None, networks: str) -> bool:
    """Whether an IP address belongs to one of the networks in such a text."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in ipaddress.ip_network(network) for network in networks.split())
