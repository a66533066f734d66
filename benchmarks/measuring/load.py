"""The load: requests of an operation, made from what `peer.toml` says, and wrk to send them."""

import http.client
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import people

from . import postgresql
from .machine import BENCHMARKS, used_by, used_by_all, used_by_children
from .servers import Server

#: Who sends the requests; lists are asked for by the member of staff.
CALLERS = (people.STAFF, *range(1001, 1001 + 613 * 24, 613))

UNIQUE = "@@UNIQUE@@UNIQUE"
CHAINED = "@@CHAINED@@"


@dataclass
class Caller:
    """Who sends requests, with tokens once signed in."""

    number: int
    access: str = ""
    refresh: str = ""

    def fill(self, value: Any) -> Any:
        """Put what is known of this caller in the place of `{id}`, `{email}` and the like."""
        if isinstance(value, dict):
            return {name: self.fill(part) for name, part in value.items()}
        known = {
            "id": str(self.number),
            "uuid": str(people.identity(self.number)),
            "email": people.email(self.number),
            "password": people.PASSWORD,
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
    """A request, ready to be sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: str

    def text(self) -> str:
        """The request as it goes over the wire."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n{self.body}"


def request(server: Server, operation: dict[str, Any], caller: Caller) -> Request:
    """The request of an operation by a caller."""
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


def send(server: Server, asked: Request) -> tuple[int, bytes]:
    """Send one request; the status and body of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        body = asked.body.replace(UNIQUE, f"{time.time_ns() % 10**16:016d}")
        connection.request(asked.method, asked.path, body or None, asked.headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def sign_in(server: Server) -> list[Caller]:
    """Every caller, signed in anew.

    Raises:
        SystemExit: one was refused.
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
    """The requests of an operation, by whom it is for."""
    operation = server.peer.about["operations"][name]
    chosen = callers[:1] if operation.get("by") == "staff" else callers[1:]
    return [request(server, operation, caller) for caller in chosen]


def check(server: Server, name: str, callers: list[Caller]) -> int:
    """Send an operation once; how many bytes the answer has.

    Raises:
        SystemExit: it was refused.
    """
    operation = server.peer.about["operations"][name]
    asked = requests(server, name, callers)[0]
    asked.body = asked.body.replace(CHAINED, callers[0].refresh)
    asked.headers |= {"Content-Length": str(len(asked.body))} if asked.body else {}
    status, body = send(server, asked)
    if status != operation.get("expect", 200):
        raise SystemExit(f"bench: {server.peer.name} answers {name} with {status}: {body[:300]!r}")
    return len(body)


def drive(server: Server, name: str, callers: list[Caller], connections: int, seconds: float) -> dict[str, Any]:
    """Send an operation over and over.

    Returns:
        `rate` (requests a second), `p50`, `p99` (ms), `requests`, `errors`, `broken`; `app` and `db` (processor ms a
        request), and `foreign`: the share of this machine's processors that others used meanwhile.
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
        texts = ",\n".join(_literal(asked.text()) for asked in requests(server, name, callers))
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
    """Any text as Lua writes it."""
    plain = " -_./:{},@"
    return '"' + "".join(c if c.isalnum() or c in plain else f"\\{ord(c):03d}" for c in text) + '"'
