"""A TCP server on this machine whose responses a test writes byte by byte."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Respond = Callable[[socket.socket], None]


@dataclass
class RawServer:
    """A server that is listening.

    Attributes:
        host: its IP address.
        port: its port.
        requests: head and body of each request.
    """

    host: str
    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL of the server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def respond_with(content: bytes, head: str = "200 OK") -> Respond:
    """A response with a body; `head` is the status, and headers in further lines."""
    lines = [f"HTTP/1.1 {head}", f"Content-Length: {len(content)}", "Connection: close", "", ""]
    return lambda connection: connection.sendall("\r\n".join(lines).encode() + content)


def send_forever(part: bytes, head: bytes, pause: float = 0) -> Respond:
    """A response that does not end: a beginning, and then the same part again and again, with pauses in seconds."""

    def respond(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(part)
            time.sleep(pause)

    return respond


@contextmanager
def raw_server(respond: Respond, host: str = "127.0.0.1", *, reads: bool = True) -> Iterator[RawServer]:
    """Start a server, and stop it afterwards.

    Args:
        respond: what it does with a connection after a request came; the connection is closed afterwards.
        host: the IP address that it listens on.
        reads: whether it reads the request before `respond`, which does so itself otherwise.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, 0), family=family, backlog=64)
    server = RawServer(host, listening.getsockname()[1])

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if reads:
                server.requests.append(read_request(connection))
            respond(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _address = listening.accept()
                threading.Thread(target=serve, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def read_request(connection: socket.socket) -> bytes:
    """A whole request: a connection that is closed before everything was read is reset, and the response is lost."""
    request = connection.recv(65536)
    length = re.search(rb"\r\nContent-Length: (\d+)\r\n", request)
    while length and len(request.partition(b"\r\n\r\n")[2]) < int(length[1]):
        request += connection.recv(65536)
    return request
