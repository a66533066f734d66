"""Requests to other services, such as identity providers.

A request goes to a public IP address, or to a host of OUTBOUND_PRIVATE_HOSTS. It ends after OUTBOUND_TIMEOUT, follows
no redirect, and uses no proxy of the environment. While it waits for the other service, our server can run another
request instead. Commit before you send one, so that no transaction stays open while it runs.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson
from flask import Flask, current_app

from userapi.observability import metrics
from userapi.security import hashing_threads

from .destinations import NotAllowed as NotAllowed
from .destinations import PrivateHosts
from .limits import RETRY_AFTER, Limits, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

log = logging.getLogger("userapi.outbound")

#: The maximum size of a response, in bytes, after decompression.
MAX_BODY = 256 * 1024

#: The maximum size of the status and headers of a response, in bytes.
MAX_HEAD = 64 * 1024

#: The hosts of this machine, as `loopback.is_loopback` knows them.
LOOPBACK = ("localhost", "127.0.0.0/8", "::1")

#: The longest time that a service can ask to wait before the next request, in seconds.
MAX_RETRY_AFTER = 3600


@dataclass(frozen=True)
class Response:
    """A response with a status below 500, other than 3xx and 429.

    Attributes:
        status: the HTTP status code.
        headers: the headers; names in any case.
        body: the content, decompressed.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The content as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        return orjson.loads(self.body)


def configure(app: Flask) -> None:
    """Set the limits of the application."""
    app.extensions["userapi-outbound"] = Limits(app.config["OUTBOUND_CONCURRENCY"])


def get_limits(app: Flask) -> Limits:
    """The limits of an application."""
    limits: Limits = app.extensions["userapi-outbound"]
    return limits


def get(url: str, *, service: str, headers: Mapping[str, str] | None = None) -> Response:
    """Send a GET request.

    Args:
        url: an absolute URL.
        service: the label of the service in limits, metrics and logs, one of a few.
        headers: additional headers.

    Raises:
        Unavailable: no usable response came; try again later.
        NotAllowed: the URL or the response breaks a rule.
    """
    return _request("GET", url, service, headers=dict(headers or {}))


def post_form(
    url: str,
    fields: Mapping[str, str],
    *,
    service: str,
    headers: Mapping[str, str] | None = None,
    basic_auth: tuple[str, str] | None = None,
    may_be_loopback: bool = False,
    in_background: bool = False,
) -> Response:
    """Send a POST request with a form.

    Args:
        url: an absolute URL.
        fields: the fields of the form.
        service: the label of the service in limits, metrics and logs, one of a few.
        headers: additional headers.
        basic_auth: user name and password, in ASCII.
        may_be_loopback: whether the host may be this machine.
        in_background: no user waits for the response, and the caller limits how many requests run.

    Raises:
        Unavailable: no usable response came; try again later.
        NotAllowed: the URL or the response breaks a rule.
    """
    return _request(
        "POST",
        url,
        service,
        headers=dict(headers or {}),
        data=dict(fields),
        auth=basic_auth,
        may_be_loopback=may_be_loopback,
        in_background=in_background,
    )


def _request(method: str, url: str, service: str, *, in_background: bool = False, **options: Any) -> Response:
    slot = hashing_threads.get_hashing(current_app).slot_released()
    with _observed(service), slot, get_limits(current_app).take_turn(service, in_background=in_background):
        return _send(method, url, **options)


@contextmanager
def _observed(service: str) -> "Iterator[None]":
    """Count and time a request, and log why it failed, without its URL and fields, which may contain secrets."""
    started, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "answered"
    except Unavailable as error:
        outcome = "unavailable"
        log.warning(
            "service unavailable", extra={"service": service, "reason": error.reason, "retry_after": error.retry_after}
        )
        raise
    except NotAllowed as error:
        outcome = "not_allowed"
        log.warning("outbound request not allowed", extra={"service": service, "reason": error.reason})
        raise
    finally:
        duration = time.perf_counter() - started
        counters = metrics.get_current_metrics()
        counters.outbound.labels(service, outcome).observe(duration)
        counters.outbound_paused.labels(service).set(get_limits(current_app).is_paused(service))


def _send(method: str, url: str, *, headers: dict[str, str], may_be_loopback: bool = False, **options: Any) -> Response:
    # Only a service with providers loads these libraries.
    import requests

    from .guarded_session import Deadline, SizeLimit, make_session

    timeout, private_hosts = current_app.config["OUTBOUND_TIMEOUT"], PrivateHosts(_private_hosts(may_be_loopback))
    _check_scheme(url, private_hosts)
    limit = SizeLimit(MAX_HEAD + MAX_BODY)
    try:
        with Deadline(timeout) as deadline, make_session(private_hosts, deadline, limit) as session:
            try:
                headers = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
                response = session.request(method, url, headers=headers, stream=True, timeout=timeout, **options)
                body = _read(response)
            finally:
                if deadline.is_over:  # a connection that was shut down can look like the end of a response
                    raise Unavailable("timeout")
                if limit.is_exceeded:
                    raise NotAllowed("response too large")
    except (requests.exceptions.InvalidURL, UnicodeError) as error:
        raise NotAllowed("invalid URL") from error
    except requests.exceptions.Timeout as error:
        raise Unavailable("timeout") from error
    except requests.RequestException as error:
        raise Unavailable(type(error).__name__) from error
    _check_status(response)
    return Response(response.status_code, response.headers, body)


def _private_hosts(may_be_loopback: bool) -> tuple[str, ...]:
    hosts: tuple[str, ...] = current_app.config["OUTBOUND_PRIVATE_HOSTS"]
    return (*hosts, *LOOPBACK) if may_be_loopback else hosts


def _check_scheme(url: str, private_hosts: PrivateHosts) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise NotAllowed("invalid URL") from error
    if not host or parts.scheme not in ("https", "http"):
        raise NotAllowed("invalid URL")
    if parts.scheme == "http" and not private_hosts.include(host):
        raise NotAllowed("not https")


def _read(response: "requests.Response") -> bytes:
    body = bytearray()
    for part in response.iter_content(16 * 1024):
        body += part
        if len(body) > MAX_BODY:
            raise NotAllowed("response too large")
    return bytes(body)


def _check_status(response: "requests.Response") -> None:
    if 300 <= response.status_code < 400:
        raise NotAllowed("redirect")
    if response.status_code >= 500 or response.status_code == 429:
        seconds = response.headers.get("Retry-After", "")
        retry_after = min(int(seconds), MAX_RETRY_AFTER) if seconds.isascii() and seconds.isdigit() else RETRY_AFTER
        raise Unavailable(f"status {response.status_code}", retry_after)
