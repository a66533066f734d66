"""Network namespaces of Linux: hosts on one machine whose network can be cut. Needs root."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from high_availability import NAMES, Node

#: A container can have root without this; no package helps there.
NOT_PERMITTED = "this kernel does not permit network namespaces"


def reason_against() -> str | None:
    """Return why this machine cannot have network namespaces, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need the command `ip`; on Debian and Ubuntu: apt install iproute2"
    trial = f"try-{secrets.token_hex(3)}"
    steps = (("netns", "add", trial), ("link", "add", trial, "type", "bridge"))
    permits = all(_run(*step, check=False).returncode == 0 for step in steps)
    _run("link", "del", trial, check=False)
    _run("netns", "del", trial, check=False)
    return None if permits else NOT_PERMITTED


@contextmanager
def hosts(names: Sequence[str] = NAMES) -> Iterator[list[Node]]:
    """Create a namespace for each host, connected by a bridge that this machine is on too."""
    mark = secrets.token_hex(3)
    bridge, network = f"br-{mark}", f"198.18.{secrets.randbelow(256)}"  # RFC 2544: for tests, in no real network
    spaces = [f"{name}-{mark}" for name in names]
    try:
        _run("link", "add", bridge, "type", "bridge")
        _run("addr", "add", f"{network}.1/24", "dev", bridge)
        _run("link", "set", bridge, "up")
        for number, space in enumerate(spaces, 2):
            _run("netns", "add", space)
            _run("link", "add", f"v{number}-{mark}", "type", "veth", "peer", "name", "eth0", "netns", space)
            _run("link", "set", f"v{number}-{mark}", "master", bridge, "up")
            _run("-n", space, "addr", "add", f"{network}.{number}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _run("-n", space, "link", "set", device, "up")
        yield [
            Node(name, f"{network}.{number}", f"{network}.0/24", ("ip", "netns", "exec", space))
            for number, (name, space) in enumerate(zip(names, spaces, strict=True), 2)
        ]
    finally:
        for space in spaces:
            _run("netns", "del", space, check=False)
        _run("link", "del", bridge, check=False)


@contextmanager
def cut(node: Node, others: Sequence[Node]) -> Iterator[None]:
    """Drop every packet between a host and others without closing connections. All still reach this machine."""
    space = node.enter[-1]
    routes = [("blackhole", f"{other.address}/32") for other in others if other != node]
    try:
        for route in routes:
            _run("-n", space, "route", "add", *route)
        yield
    finally:
        for route in routes:
            with suppress(subprocess.CalledProcessError):
                _run("-n", space, "route", "del", *route)


def _run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)
