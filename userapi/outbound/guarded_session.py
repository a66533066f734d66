"""A session of requests that connects to checked IP addresses alone, and ends at a deadline and a size.

The name of a host is resolved once, and the connection goes to an IP address that was checked. So a name that resolves
differently the second time (DNS rebinding) gains nothing.
"""

import http.client
import io
import logging
import socket
import ssl
import threading
import time
from contextlib import suppress
from functools import cache, partial
from typing import Any

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from userapi.core.setting_checks import DEFAULT_PORTS

from .addresses import NameNotResolved, NoAnswerInTime, resolve
from .destinations import Destinations

# It would log URLs, which may contain secrets, and headers that it cannot read.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class Deadline:
    """Closes the connection of a request that has reached its deadline.

    The timeouts of the library `requests` are for each read, so a service that sends single bytes could take hours.

    Args:
        seconds: how long the request may take.

    Attributes:
        is_over: whether the time was over before the request ended.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self._end_time = time.monotonic() + seconds
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._sockets:
                connection.close()
            self._sockets.clear()

    @property
    def seconds_left(self) -> float:
        """The time until then; negative afterwards."""
        return self._end_time - time.monotonic()

    def watch(self, connection: socket.socket) -> None:
        """Shut this connection down too; the duplicate stays usable when TLS takes the socket over."""
        with self._lock:
            self._sockets.append(connection.dup())
            if self.is_over:
                self._shut_down()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            self._shut_down()

    def _shut_down(self) -> None:
        for connection in self._sockets:
            with suppress(OSError):  # the other side may have closed it
                connection.shutdown(socket.SHUT_RDWR)


class SizeLimit:
    """Ends a response after a number of bytes, status and headers included, which the library does not limit.

    Args:
        size: the number of bytes.

    Attributes:
        is_exceeded: whether there was more.
    """

    def __init__(self, size: int) -> None:
        self.is_exceeded = False
        self._left = size

    def count(self, received: int) -> int:
        """The number of received bytes that are still within the limit."""
        self.is_exceeded = self.is_exceeded or received > self._left
        within = min(received, self._left)
        self._left -= within
        return within


class _LimitedStream(io.RawIOBase):
    """The stream of a connection, which seems to end at the limit."""

    def __init__(self, stream: io.RawIOBase, limit: SizeLimit) -> None:
        self._stream, self._limit = stream, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        received = self._stream.readinto(buffer)
        return self._limit.count(received) if received else received

    def close(self) -> None:
        self._stream.close()
        super().close()


class _LimitedResponse(http.client.HTTPResponse):
    def __init__(self, connection: socket.socket, *arguments: Any, limit: SizeLimit, **options: Any) -> None:
        super().__init__(connection, *arguments, **options)
        self.fp = io.BufferedReader(_LimitedStream(self.fp.detach(), limit))


@cache
def load_authorities() -> ssl.SSLContext:
    """How to verify certificates: by the authorities of the system, or of SSL_CERT_FILE, and those of certifi."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class _WatchedConnection:
    """Connects before the deadline, and tells it of the socket."""

    deadline: Deadline
    timeout: float

    def _new_conn(self) -> socket.socket:
        self.timeout = max(self.deadline.seconds_left, 0.001)
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]
        self.deadline.watch(connection)
        return connection


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, destinations: Destinations, deadline: Deadline, limit: SizeLimit) -> None:
        super().__init__()
        self._destinations, self._deadline, self._limit = destinations, deadline, limit

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=load_authorities(), **options)

    def cert_verify(self, conn: Any, *_arguments: Any) -> None:
        """Require a valid certificate; requests would load all authorities again, which takes 20 ms."""
        conn.cert_reqs = "CERT_REQUIRED"

    def build_connection_pool_key_attributes(
        self, request: PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Replace the host by its IP address; the name stays for the server and its certificate."""
        target, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        scheme, host = str(target["scheme"]), str(target["host"])
        port = int(target["port"] or DEFAULT_PORTS[scheme])
        addresses = self._resolve(host, port)
        self._destinations.check(scheme, host, port, addresses)
        name = f"[{host}]" if ":" in host else host
        suffix = f":{target['port']}" if target["port"] else ""
        request.headers = CaseInsensitiveDict({**request.headers, "Host": name + suffix})
        if scheme == "https":
            tls |= {"assert_hostname": host, "server_hostname": host}
        address = addresses[0]
        return {**target, "host": f"[{address}]" if address.version == 6 else str(address)}, tls

    def _resolve(self, host: str, port: int) -> Any:
        try:
            return resolve(host, port, self._deadline.seconds_left)
        except NameNotResolved as error:
            raise requests.exceptions.ConnectionError(error) from error
        except NoAnswerInTime as error:
            raise requests.exceptions.ConnectTimeout(error) from error

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool = super().get_connection_with_tls_context(*arguments, **options)
        attributes = {
            "deadline": self._deadline,
            "response_class": staticmethod(partial(_LimitedResponse, limit=self._limit)),
        }
        pool.ConnectionCls = type("WatchedConnection", (_WatchedConnection, pool.ConnectionCls), attributes)
        return pool


class _Session(requests.Session):
    """A session that uses nothing of the environment, and takes a redirect as any other response."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.headers["User-Agent"] = "userapi"

    def get_redirect_target(self, _response: Response) -> None:
        """None: the library would read the whole body of a redirect before it finds that it must not follow it."""
        return


def make_session(destinations: Destinations, deadline: Deadline, limit: SizeLimit) -> requests.Session:
    """A session for one request: without redirects, proxies, `.netrc` and cookies of earlier requests.

    Args:
        destinations: the hosts that it may be sent to.
        deadline: when the request ends.
        limit: the maximum size of the response.
    """
    session = _Session()
    adapter = _GuardedAdapter(destinations, deadline, limit)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
