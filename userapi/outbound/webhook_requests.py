"""Requests with events to the receivers of webhooks, whose URLs superusers enter.

A request goes to a public host by its name, with https and to a port of WEBHOOK_PORTS, or anywhere inside
WEBHOOK_ALLOWED_NETWORKS. It ends after WEBHOOK_TIMEOUT, follows no redirect, and uses no proxy of the environment.
Commit before you send one, so that no transaction stays open while it runs. The caller limits how many run at the same
time.
"""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import current_app

from userapi.core import clock
from userapi.core.setting_checks import DEFAULT_PORTS, HOST_NAME
from userapi.observability import metrics
from userapi.security import hashing_threads

from .addresses import NameNotResolved, NoAnswerInTime, read_literal, resolve
from .destinations import NotAllowed as NotAllowed
from .destinations import Receivers

#: The maximum size of a response, in bytes. The rest of a longer one is not read.
MAX_RESPONSE = 64 * 1024

#: How many printable characters of a response are kept.
EXCERPT_LENGTH = 200

#: The longest URL of a receiver.
MAX_URL_LENGTH = 2000

#: How long to wait for the IP addresses of a host whose URL someone enters, in seconds.
CHECK_TIMEOUT = 3


class Error(StrEnum):
    """Why there is no complete response, or no request at all."""

    TIMEOUT = "timeout"
    NAME_NOT_RESOLVED = "name_not_resolved"
    PRIVATE_IP_ADDRESS = "private_ip_address"
    INVALID_URL = "invalid_url"
    HTTPS_REQUIRED = "https_required"
    PORT_NOT_ALLOWED = "port_not_allowed"
    IP_ADDRESS_IN_URL = "ip_address_in_url"
    CERTIFICATE_INVALID = "certificate_invalid"
    CONNECTION_FAILED = "connection_failed"
    RESPONSE_TOO_LARGE = "response_too_large"


#: The errors of requests that are not sent because of a rule.
RULES = (
    Error.PRIVATE_IP_ADDRESS,
    Error.INVALID_URL,
    Error.HTTPS_REQUIRED,
    Error.PORT_NOT_ALLOWED,
    Error.IP_ADDRESS_IN_URL,
)


@dataclass(frozen=True)
class Result:
    """What became of a request.

    Attributes:
        status: the HTTP status code of the response, if one came.
        error: why the response is not complete, or why no request was sent; None if nothing is wrong.
        duration_ms: how long it took, in milliseconds.
        retry_after: when the receiver wants the next request, in seconds from now; None if it did not say so.
        excerpt: the beginning of the body, printable characters only.
    """

    status: int | None
    error: Error | None
    duration_ms: int
    retry_after: int | None = None
    excerpt: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has accepted what was sent."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


def check_url(url: str) -> None:
    """Check a URL that someone enters.

    A name that does not resolve now is accepted, since each request checks the IP addresses again.

    Raises:
        NotAllowed: no request may be sent to it; the reason is a value of `Error`.
    """
    parts, receivers = _split(url), _receivers()
    address = read_literal(parts.host)
    try:
        with hashing_threads.get_hashing(current_app).slot_released():
            addresses = [address] if address else resolve(parts.host, parts.port, CHECK_TIMEOUT)
    except (NameNotResolved, NoAnswerInTime):
        if not receivers.networks:
            receivers.check_public(*parts)
    else:
        receivers.check(*parts, addresses)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Result:
    """Send a POST request, and read the beginning of the response.

    Args:
        url: of the receiver.
        body: sent as it is.
        headers: additional headers, with the Content-Type.
    """
    started = time.perf_counter()
    with hashing_threads.get_hashing(current_app).slot_released():
        try:
            _split(url)
            answer = _send(url, body, headers)
        except NotAllowed as error:
            answer = {"status": None, "error": Error(error.reason)}
    duration = time.perf_counter() - started
    result = Result(**answer, duration_ms=round(duration * 1000))
    outcome = "answered" if result.error is None else "not_allowed" if result.error in RULES else "unavailable"
    metrics.get_current_metrics().outbound.labels("webhooks", outcome).observe(duration)
    return result


class _Parts(NamedTuple):
    scheme: str
    host: str
    port: int


def _split(url: str) -> _Parts:
    """The parts of a URL that is written in the usual way: no spaces, no password, no fragment."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise NotAllowed(Error.INVALID_URL) from error
    has_extras = "@" in parts.netloc or set(url) & set("\\#")
    is_usual = re.fullmatch(r"[!-~]+", url) and not has_extras and len(url) <= MAX_URL_LENGTH
    is_host = HOST_NAME.fullmatch(host) or (parts.netloc.startswith("[") and read_literal(host))
    if not is_usual or not is_host or parts.scheme not in DEFAULT_PORTS or port == 0:
        raise NotAllowed(Error.INVALID_URL)
    return _Parts(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme])


def _receivers() -> Receivers:
    config = current_app.config
    return Receivers(config["WEBHOOK_ALLOWED_NETWORKS"], config["WEBHOOK_PORTS"])


def _send(url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    # Only a service with webhooks loads these libraries.
    import requests

    from .guarded_session import Deadline, SizeLimit, make_session

    timeout, limit, answer = current_app.config["WEBHOOK_TIMEOUT"], SizeLimit(MAX_RESPONSE), _no_answer()
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", **headers}
    with Deadline(timeout) as deadline, make_session(_receivers(), deadline, limit) as session:
        try:
            response = session.post(url, data=body, headers=headers, stream=True, timeout=timeout)
            # Status and headers that were cut off can look complete, and so can a body that was.
            if not deadline.is_over and not limit.is_exceeded:
                answer |= {"status": response.status_code, "retry_after": _retry_after(response.headers)}
                _read(response, answer)
        except (requests.RequestException, UnicodeError) as error:
            answer["error"] = _name(error)
        is_over = deadline.is_over
    if is_over:
        answer["error"] = Error.TIMEOUT
    elif limit.is_exceeded:
        answer["error"] = Error.RESPONSE_TOO_LARGE if answer["status"] is None else None
    return answer


def _no_answer() -> dict[str, Any]:
    return {"status": None, "error": None, "retry_after": None, "excerpt": ""}


def _read(response: Any, answer: dict[str, Any]) -> None:
    """Read a body up to the limit, so that a receiver can finish sending it, and keep its beginning."""
    from urllib3.exceptions import HTTPError

    received = b""
    try:
        for part in response.raw.stream(4096, decode_content=False):
            received += part
    except HTTPError:
        answer["error"] = Error.CONNECTION_FAILED
    text = " ".join(received[: 4 * EXCERPT_LENGTH].decode(errors="replace").split())
    answer["excerpt"] = "".join(filter(str.isprintable, text))[:EXCERPT_LENGTH]


def _name(error: Exception) -> Error:
    import requests

    if isinstance(error, requests.exceptions.Timeout):
        return Error.TIMEOUT
    if isinstance(error, requests.exceptions.SSLError):
        return Error.CERTIFICATE_INVALID
    if isinstance(error.__cause__, NameNotResolved):
        return Error.NAME_NOT_RESOLVED
    if isinstance(error, (requests.exceptions.InvalidURL, UnicodeError)):
        return Error.INVALID_URL
    return Error.CONNECTION_FAILED


def _retry_after(headers: Mapping[str, str]) -> int | None:
    """The seconds of the header Retry-After, which has a number or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return int(value[:9])
    with suppress(ValueError, TypeError, OverflowError):
        return max(0, round((parsedate_to_datetime(value) - clock.now()).total_seconds()))
    return None
