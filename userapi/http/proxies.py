"""The IP address and scheme of a client from the headers of TRUSTED_PROXIES proxies."""

import functools
import ipaddress
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: The maximum length of an IP address with a port.
MAX_IP_LENGTH = 100


def configure(app: Flask) -> None:
    """Trust the number of proxies in the settings."""
    if app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = partial(_set_client_from_proxy, app.config["TRUSTED_PROXIES"], app.wsgi_app)  # type: ignore[method-assign]


def _set_client_from_proxy(
    proxies: int, app: "WSGIApplication", environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    """Call the application with the client's data as seen by the outermost trusted proxy.

    Werkzeug's ProxyFix accepts any text as an IP address, even with a port, and a quotation mark from the client hides
    the commas after it.
    """
    address = _value_of_outermost_proxy(environ.get("HTTP_X_FORWARDED_FOR", ""), proxies)
    if len(address) <= MAX_IP_LENGTH and (known := parse_forwarded_ip(address)):
        environ["REMOTE_ADDR"] = known
    scheme = _value_of_outermost_proxy(environ.get("HTTP_X_FORWARDED_PROTO", ""), proxies).lower()
    if scheme in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme
    return app(environ, start_response)


def _value_of_outermost_proxy(header: str, proxies: int) -> str:
    """The value from the outermost proxy: each proxy appends one value, and the values before come from the client."""
    values = header.split(",")
    return values[-proxies].strip() if len(values) >= proxies else ""


@functools.lru_cache(maxsize=1000)
def parse_forwarded_ip(text: str) -> str | None:
    """The IP address in a value of `X-Forwarded-For`, which may have a port; None if there is none.

    Accepts `203.0.113.5:50001`, `[2001:db8::1]:443` and `2001:db8::1`; an IPv4-mapped address becomes IPv4.
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
