"""A worker process of the server: a request gets a thread only after its body has arrived completely.

Granian's own WSGI worker gives each request a thread as soon as its headers have arrived, and the thread waits for the
body, so a few slow clients could occupy all threads. This module uses granian's RSGI worker, which reads requests
without threads, and no event loop: callbacks run in granian's pool of threads, like the application.
`docs/decisions/0020-read-bodies-before-threads.md` explains the reasons and the alternatives.
"""

import io
import signal
import tempfile
import threading
import time
from asyncio import CancelledError
from collections.abc import Callable
from typing import IO, Any

from flask import Flask
from granian._granian import CallbackScheduler, RSGIWorker, WorkerSignal
from granian.server.mp import WorkerProcess
from werkzeug.exceptions import RequestTimeout

from userapi.core.problems import Unavailable
from userapi.http import bodies

from .deadlines import Deadlines
from .listener import accept_arrived_connections, open_listener
from .wsgi_gateway import environment, respond

#: The time limit for a body in seconds, and the number of received bytes that extend it by a second.
BODY_TIMEOUT = 20.0
BYTES_PER_SECOND = 50_000

#: Larger bodies, in bytes, go to a temporary file; and the maximum number of them that a worker receives at a time.
BODY_IN_MEMORY = 64 * 1024
LARGE_BODIES = 16

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

#: The seconds for which the temporary file of a response is kept.
ANSWER_KEPT = 60.0


class ImmediateLoop:
    """Replaces granian's event loop: callbacks run immediately, in the thread that schedules them."""

    def call_soon(self, callback: Callable[..., Any], *arguments: Any, context: Any = None) -> None:
        """Run a callback."""
        callback(*arguments)

    call_soon_threadsafe = call_soon


class SentFile:
    """The temporary file of a response; granian opens it again, and then it can be closed here."""

    def __init__(self, deadlines: Deadlines, file: IO[bytes]) -> None:
        self.deadline = time.monotonic() + ANSWER_KEPT
        self._deadlines, self._file = deadlines, file
        deadlines.add(self)

    def expire(self) -> None:
        """Close the file, which deletes it."""
        self._deadlines.remove(self)
        self._file.close()


class Requests(CallbackScheduler):
    """Receives each request of this process in one of granian's threads, after its headers have arrived."""

    def __new__(cls, loop: ImmediateLoop, app: Flask) -> "Requests":
        return super().__new__(cls, loop, app, None, None, None)  # type: ignore[call-arg]

    def __init__(self, _loop: ImmediateLoop, app: Flask) -> None:
        self.app = app
        self.deadlines = Deadlines()
        self.large_bodies = threading.BoundedSemaphore(LARGE_BODIES)
        self._schedule_fn = self._begin

    def _begin(self, request: Any) -> None:
        try:
            headers = request.scope.headers
            length = None if "transfer-encoding" in headers else int(headers.get("content-length", "0"))
            if length == 0:
                self.run(request, io.BytesIO())
            else:
                Body(self, request, length).begin()
        except BaseException as error:
            request.err(error)  # logged as an error and reported as 500

    def run(self, request: Any, body: IO[bytes], *, closes: bool = False, **variables: Any) -> None:
        """Let the application respond.

        Args:
            request: granian's request object.
            body: the received part of its body.
            closes: whether the rest of the body is left unread, and the connection must end.
            variables: for the environment.
        """
        environ = environment(request.scope, body)
        environ.update(variables)
        file = respond(self.app, environ, request.proto, closes=closes)
        if file is not None:
            SentFile(self.deadlines, file)


class Body:
    """A body that is being received. No thread is occupied between two pieces of it.

    Args:
        requests: the receiver that it belongs to.
        request: granian's request object.
        length: the Content-Length; None for a chunked body.
    """

    def __init__(self, requests: Requests, request: Any, length: int | None) -> None:
        self._requests, self._request, self._length = requests, request, length
        self._limit = bodies.get_body_limit(requests.app, request.scope.path)
        self._received = 0
        self._content: IO[bytes] = io.BytesIO()
        self._is_large = False
        self._error: Exception | None = None
        self._pending: Any = None
        self._began = self.deadline = time.monotonic()

    def begin(self) -> None:
        """Wait for the first piece, unless the body is larger than the application accepts."""
        try:
            if self._length is not None and self._length > self._limit:
                self._end(closes=True)
            else:
                if self._length is not None and self._length > BODY_IN_MEMORY:
                    self._move_to_file()
                self._request.proto.__aiter__()
                self._extend()
                self._requests.deadlines.add(self)
                self._wait()
        except BaseException:
            self._leave()
            raise

    def expire(self) -> None:
        """Stop waiting: `_take` is called with a timeout, unless a piece has just arrived."""
        pending = self._pending
        if pending is not None:
            pending.cancel()

    def _extend(self) -> None:
        self.deadline = self._began + BODY_TIMEOUT + self._received / BYTES_PER_SECOND

    def _wait(self) -> None:
        self._pending = pending = self._request.proto.__anext__()
        pending.add_done_callback(self._take)

    def _take(self, coming: Any) -> None:
        self._pending = None  # it refers to this object, in a cycle that Python could not collect
        try:
            self._receive(coming)
        except BaseException as error:
            self._leave()
            self._request.err(error)

    def _receive(self, coming: Any) -> None:
        try:
            piece: bytes = coming.result()
        except CancelledError:
            self._error = RequestTimeout()
            self._end(closes=True)
            return
        self._received += len(piece)
        if not piece:
            self._end_of_stream()
        elif self._received > self._limit:
            self._end(closes=True)
        else:
            if self._received > BODY_IN_MEMORY and not self._is_large and self._error is None:
                self._move_to_file()
            if self._error is None:
                self._content.write(piece)
            if self._received == self._length:
                self._end()
            else:
                self._extend()
                self._wait()

    def _move_to_file(self) -> None:
        """Continue in a temporary file; if there are too many of them, receive the rest of the body without keeping it.

        A response before the end of the body would have to close the connection while the client is sending. nginx then
        loses the response, and answers 502.
        """
        self._is_large = self._requests.large_bodies.acquire(blocking=False)
        if not self._is_large:
            self._content, self._error = io.BytesIO(), Unavailable()
            return
        file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the request was answered
        self._content.seek(0)
        file.write(self._content.read())
        self._content = file

    def _end_of_stream(self) -> None:
        """Finish a chunked body that is complete; do nothing if the connection was lost."""
        if self._length is None and self._is_exhausted():
            self._end()
        else:
            self._leave()
            self._request.proto.response_empty(400, [("Connection", "close")])

    def _is_exhausted(self) -> bool:
        """Whether the stream has ended regularly; after an error it returns another piece."""
        try:
            self._request.proto.__anext__()
        except StopAsyncIteration:
            return True
        return False

    def _end(self, *, closes: bool = False) -> None:
        self._requests.deadlines.remove(self)
        self._content.seek(0)
        variables: dict[str, Any] = {} if self._error is None else {bodies.BODY_ERROR_KEY: self._error}
        if self._length is None:
            variables["CONTENT_LENGTH"] = str(self._received)
        try:
            self._requests.run(self._request, self._content, closes=closes, **variables)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._requests.deadlines.remove(self)
        self._content.close()
        if self._is_large:
            self._is_large = False
            self._requests.large_bodies.release()


@WorkerProcess.wrap_target
def work(
    worker_id: int,
    app: Flask,
    listener: Any,
    pipe: Any,
    _loop: Any,
    _runtime_mode: Any,
    runtime_threads: int,
    runtime_blocking_threads: int,
    threads: int,
    threads_idle: int,
    connections: int,
    _tasks: Any,
    http_mode: Any,
    http1: Any,
    http2: Any,
    websockets: bool,
    static_files: Any,
    _access_log: Any,
    tls: tuple[Any, ...],
    _scope: Any,
    counts: Any,
) -> None:
    """Run a granian worker until it is stopped. The arguments are those of granian's own workers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # for all threads, which are started below
    stop, stopped = WorkerSignal(), threading.Event()
    stop.add_cb(stopped.set)
    listener = open_listener(listener)
    loop = ImmediateLoop()
    worker_class: Any = RSGIWorker  # granian's types are out of date
    worker = worker_class(
        worker_id, listener, pipe, runtime_threads, runtime_blocking_threads, threads, threads_idle, connections,
        http_mode, http1, http2, websockets, static_files, *tls, counts,
    )  # fmt: skip
    worker.serve_mtr(Requests(loop, app), loop, stop)
    signal.sigwait(STOP_SIGNALS)
    accept_arrived_connections(listener)
    stop.set()
    stopped.wait()
