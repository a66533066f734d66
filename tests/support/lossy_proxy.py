"""A proxy on this machine in front of the service, which counts requests and loses what a test tells it to."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

#: Headers of one connection, which a proxy does not pass on.
OF_CONNECTION = {"connection", "keep-alive", "transfer-encoding"}


class Loss(Enum):
    """What gets lost: the request on its way, or the response after the service has processed the request."""

    REQUEST = auto()
    RESPONSE = auto()


class LossyProxy:
    """A proxy that is listening.

    Attributes:
        url: its origin.
        requests: method and path of each request, such as "GET /userapi/auth/user/".
        losses: what gets lost of the next requests to a path, in order.
        delay: how long responses take, in seconds.
    """

    def __init__(self, upstream: str, port: int) -> None:
        self.upstream = urlsplit(upstream)
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[str] = []
        self.losses: dict[str, list[Loss]] = {}
        self.delay = 0.0

    def count(self, path: str) -> int:
        """The number of requests to a path."""
        return sum(request.endswith(f" {path}") for request in self.requests)

    def next_loss(self, path: str) -> Loss | None:
        """What gets lost of the present request to a path."""
        losses = self.losses.get(path)
        return losses.pop(0) if losses else None


@contextmanager
def lossy_proxy(upstream: str) -> Iterator[LossyProxy]:
    """Start a proxy in front of a service, and stop it afterwards."""

    class Handler(BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            proxy.requests.append(f"{self.command} {self.path}")
            loss = proxy.next_loss(self.path)
            if loss is Loss.REQUEST:
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection(proxy.upstream.netloc, timeout=30)
            try:
                connection.request(self.command, self.path, body or None, dict(self.headers) | {"Connection": "close"})
                response = connection.getresponse()
                content = response.read()
            except OSError:
                return  # the service does not run: this connection breaks as well
            finally:
                connection.close()
            time.sleep(proxy.delay)
            if loss is Loss.RESPONSE:
                return
            self.send_response_only(response.status)
            for name, value in response.headers.items():
                if name.lower() not in OF_CONNECTION:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = handle_request  # noqa: N815

        def log_message(self, *_arguments: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        proxy = LossyProxy(upstream, server.server_port)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield proxy
        server.shutdown()
