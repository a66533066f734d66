"""The load: requests built from `peer.toml` and sent by wrk."""

import http.client
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import sample_users

from . import postgresql
from .machine import BENCHMARKS, used_by, used_by_all, used_by_children
from .servers import Server

#: The users that send the requests; the staff user requests lists.
CALLERS = (sample_users.STAFF, *range(1001, 1001 + 613 * 24, 613))

UNIQUE = "@@UNIQUE@@UNIQUE"
CHAINED = "@@CHAINED@@"


@dataclass
class Caller:
    """A user that sends requests, with tokens after sign-in."""

    number: int
    access: str = ""
    refresh: str = ""

    def fill(self, value: Any) -> Any:
        """Replace `{id}`, `{email}` and other placeholders with the data of this caller."""
        if isinstance(value, dict):
            return {name: self.fill(part) for name, part in value.items()}
        known = {
            "id": str(self.number),
            "uuid": str(sample_users.identity(self.number)),
            "email": sample_users.email(self.number),
            "password": sample_users.PASSWORD,
            "access": self.access,
            "refresh": self.refresh,
            "chained": CHAINED,
            "unique": UNIQUE,
        }
        for name, text in known.items():
            value = value.replace("{" + name + "}", text)
        return value


@dataclass
class Request:
    """A request that can be sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    def text(self) -> str:
        """The request as sent over the wire."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n{self.body}"


def request(server: Server, operation: dict[str, Any], caller: Caller) -> Request:
    """Build the request of an operation by a caller."""
    headers, body = {"Host": f"127.0.0.1:{server.port}", "Accept": "application/json"}, ""
    if "json" in operation:
        body, headers["Content-Type"] = json.dumps(caller.fill(operation["json"])), "application/json"
    elif "form" in operation:
        body, headers["Content-Type"] = urlencode(caller.fill(operation["form"])), "application/x-www-form-urlencoded"
    method = operation.get("method", "GET")
    if method != "GET":
        headers["Content-Length"] = str(len(body))
    if "by" in operation:
        headers["Authorization"] = f"Bearer {caller.access}"
    return Request(method, caller.fill(operation["path"]), headers, body)


def send(server: Server, request: Request) -> tuple[int, bytes]:
    """Send one request; returns the status and body of the response."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        body = request.body.replace(UNIQUE, f"{time.time_ns() % 10**16:016d}")
        connection.request(request.method, request.path, body or None, request.headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def sign_in(server: Server) -> list[Caller]:
    """Sign in every caller again.

    Raises:
        SystemExit: a sign-in was rejected.
    """
    operation, callers = server.peer.about["operations"]["sign_in"], []
    for number in CALLERS:
        caller = Caller(number)
        status, body = send(server, request(server, operation, caller))
        if status != 200:
            raise SystemExit(f"bench: {server.peer.name} answers a sign-in with {status}: {body[:300]!r}")
        answer = json.loads(body)
        caller.access, caller.refresh = answer[operation["access"]], answer.get(operation.get("refresh"), "")
        callers.append(caller)
    return callers


def requests(server: Server, name: str, callers: list[Caller]) -> list[Request]:
    """The requests of an operation, for the callers that may send it."""
    operation = server.peer.about["operations"][name]
    chosen = callers[:1] if operation.get("by") == "staff" else callers[1:]
    return [request(server, operation, caller) for caller in chosen]


def check(server: Server, name: str, callers: list[Caller]) -> int:
    """Send an operation once; returns the size of the response in bytes.

    Raises:
        SystemExit: the request was rejected.
    """
    operation = server.peer.about["operations"][name]
    request = requests(server, name, callers)[0]
    request.body = request.body.replace(CHAINED, callers[0].refresh)
    request.headers |= {"Content-Length": str(len(request.body))} if request.body else {}
    status, body = send(server, request)
    if status != operation.get("expect", 200):
        raise SystemExit(f"bench: {server.peer.name} answers {name} with {status}: {body[:300]!r}")
    return len(body)


def drive(server: Server, name: str, callers: list[Caller], connections: int, seconds: float) -> dict[str, Any]:
    """Send an operation repeatedly.

    Returns:
        `rate` (requests a second), `p50`, `p99` (ms), `requests`, `errors`, `broken`; `app` and `db` (processor ms a
        request), and `foreign`: the share of this machine's processors that other programs used.
    """
    database, cores = postgresql.pid(), os.cpu_count() or 1
    watched = (server.used, lambda: used_by(database), used_by_children, used_by_all, time.perf_counter)
    before = [read() for read in watched]
    sample = _wrk(server, name, callers, connections, seconds)
    app, db, client, everything, passed = (read() - start for read, start in zip(watched, before, strict=True))
    number = max(sample["requests"], 1)
    return sample | {
        "app": app / number * 1000,
        "db": db / number * 1000,
        "foreign": max(everything - app - db - client, 0) / (passed * cores),
    }


def _wrk(server: Server, name: str, callers: list[Caller], connections: int, seconds: float) -> dict[str, Any]:
    chain = server.peer.about["operations"][name].get("chain", "")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        texts = ",\n".join(_literal(request.text()) for request in requests(server, name, callers))
        tokens = ",\n".join(_literal(caller.refresh) for caller in callers[1:])
        file.write(f"return {{\n{texts}\n}}, {{\n{tokens}\n}}\n")
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "60s"]
        command += ["-s", str(BENCHMARKS / "measuring" / "load.lua"), f"http://127.0.0.1:{server.port}"]
        surroundings = os.environ | {"BENCH_REQUESTS": file.name} | ({"BENCH_CHAIN": chain} if chain else {})
        done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=seconds + 90)
    if done.returncode or not done.stdout.strip().endswith("}"):
        raise SystemExit(f"bench: wrk failed: {done.stderr or done.stdout}")
    sample: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return sample


def _literal(text: str) -> str:
    """A text as a Lua literal."""
    plain = " -_./:{},@"
    return '"' + "".join(c if c.isalnum() or c in plain else f"\\{ord(c):03d}" for c in text) + '"'
