"""What the proxies in front say of a client: its IP address and its scheme. TRUSTED_PROXIES says how many there are."""

import functools
import ipaddress
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Longer than any spelling of an IP address and a port.
MAX_IP_LENGTH = 100


def configure(app: Flask) -> None:
    """Believe as many proxies as the settings say."""
    if app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = partial(_set_client_from_proxy, app.config["TRUSTED_PROXIES"], app.wsgi_app)  # type: ignore[method-assign]


def _set_client_from_proxy(
    proxies: int, app: "WSGIApplication", environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    """Call the application with what the outermost trusted proxy has seen.

    Werkzeug's ProxyFix takes any text for an address, ports included, and a quotation mark of the client's hides the
    commas behind it.
    """
    address = _value_of_outermost_proxy(environ.get("HTTP_X_FORWARDED_FOR", ""), proxies)
    if len(address) <= MAX_IP_LENGTH and (known := parse_forwarded_ip(address)):
        environ["REMOTE_ADDR"] = known
    scheme = _value_of_outermost_proxy(environ.get("HTTP_X_FORWARDED_PROTO", ""), proxies).lower()
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme
    return app(environ, start_response)


def _value_of_outermost_proxy(header: str, proxies: int) -> str:
    """What the outermost proxy wrote: each adds one value at the end, and what is before theirs is the client's own."""
    values = header.split(",")
    return values[-proxies].strip() if len(values) >= proxies else ""


@functools.lru_cache(maxsize=1000)
def parse_forwarded_ip(text: str) -> str | None:
    """The IP address in a value of `X-Forwarded-For`, where some proxies write a port as well; None if there is none.

    `203.0.113.5:50001`, `[2001:db8::1]:443` and `2001:db8::1` are known; an IPv4 address in IPv6 is the IPv4 address.
    """
    text = text.strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)
