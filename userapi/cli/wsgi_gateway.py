"""Between granian and the application: builds the WSGI environment (PEP 3333) and sends the response."""

import io
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any

from granian._granian import RSGIHTTPProtocol
from granian.rsgi import Scope
from werkzeug.wsgi import FileWrapper

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

#: A response in pieces is kept in memory up to this size in bytes, and in a temporary file beyond it.
ANSWER_IN_MEMORY = 2**20


class File(FileWrapper):
    """A file that granian reads and sends, so that no thread waits for the client."""


#: The part of the environment that all requests share.
COMMON: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.errors": sys.stderr,
    "wsgi.file_wrapper": File,
    "wsgi.input_terminated": True,  # Werkzeug's name: `wsgi.input` ends with the body
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}

#: Common headers, with their names in the environment, so that these are not computed for each request.
FREQUENT = (
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "connection",
    "cookie",
    "host",
    "origin",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "user-agent",
    "x-csrf-token",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
)


def _variable(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


VARIABLES = {name: _variable(name) for name in FREQUENT}
VARIABLES |= {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def environment(scope: Scope, body: IO[bytes]) -> "WSGIEnvironment":
    """Build the WSGI environment of a request.

    A header with an underscore in its name is dropped, because in CGI `X_Forwarded_For` looks like `X-Forwarded-For`
    (nginx and Apache do the same); lines with one name are joined in order (RFC 9110, section 5.3; RFC 9113, 8.2.3).
    """
    path, query = scope.path, scope.query_string
    environ = COMMON | {
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": path if path.isascii() else path.encode().decode("latin1"),
        "QUERY_STRING": query if query.isascii() else query.encode().decode("latin1"),
        "SERVER_PROTOCOL": "HTTP/" + scope.http_version,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
    }
    server, _colon, environ["SERVER_PORT"] = scope.server.rpartition(":")
    environ["SERVER_NAME"] = server.strip("[]")
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        variable = VARIABLES.get(name) or _variable(name)
        if variable in environ:
            value = f"{environ[variable]}{'; ' if name == 'cookie' else ', '}{value}"
        environ[variable] = value
    return environ


class Start:
    """The `start_response` callable of WSGI."""

    __slots__ = ("headers", "status")

    def __init__(self) -> None:
        self.status = 500
        self.headers: list[tuple[str, str]] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
        """Store status and headers; nothing is sent before the response is complete, so an error may replace them."""
        self.status, self.headers = int(status[:3]), headers


def respond(
    app: "WSGIApplication", environ: "WSGIEnvironment", connection: RSGIHTTPProtocol, *, closes: bool = False
) -> IO[bytes] | None:
    """Run the application and hand over the complete response, so that a slow client occupies no thread.

    Args:
        app: the application.
        environ: the request.
        connection: the connection for the response.
        closes: whether the connection must end with this response, because part of the request was not read.

    Returns:
        The temporary file of the response, if any, to be closed later.
    """
    start = Start()
    pieces: Iterable[bytes] = app(environ, start)
    headers = [*start.headers, ("Connection", "close")] if closes else start.headers
    if isinstance(pieces, list):
        connection.response_bytes(start.status, headers, b"".join(pieces))
        return None
    if isinstance(pieces, File):
        with closing(pieces):
            connection.response_file(start.status, headers, str(pieces.file.name))
        return None
    try:
        content = _collected(pieces)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    if isinstance(content, bytes):
        connection.response_bytes(start.status, headers, content)
        return None
    if not any(name.lower() == "content-length" for name, _value in headers):
        headers = [*headers, ("Content-Length", str(content.tell()))]
    content.seek(0)
    connection.response_file(start.status, headers, f"/dev/fd/{content.fileno()}")
    return content


def _collected(pieces: Iterable[bytes]) -> bytes | IO[bytes]:
    """Join all pieces in memory or, if they are large, in a temporary file."""
    kept, file = io.BytesIO(), None
    for piece in pieces:
        (file or kept).write(piece)
        if file is None and kept.tell() > ANSWER_IN_MEMORY:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - who sends it closes it
            file.write(kept.getbuffer())
    if file is None:
        return kept.getvalue()
    file.flush()
    return file
