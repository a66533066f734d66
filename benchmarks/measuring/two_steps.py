"""Sign-ins with a second step and by passkey: several requests each, whose bodies depend on the responses before."""

import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import pyotp
import sample_users

from tests.support.authenticator import Authenticator

from . import postgresql, report
from .machine import used_by
from .peers import OURS
from .servers import Server

#: The site of the peers, whose passkeys belong to it.
ORIGIN = "http://localhost:8000"

STEP = 30

TITLES = {
    "password": "first step: password",
    "code": "second step: code of an app",
    "passkey": "sign-in by passkey, options included",
}


class Client:
    """A user of a peer with an authenticator app and a passkey."""

    def __init__(self, server: Server, number: int) -> None:
        self.server = server
        self.credentials = {"email": sample_users.email(number), "password": sample_users.PASSWORD}
        self.authenticator = Authenticator(ORIGIN)
        self.secret = ""
        self.token = ""
        self.used_step = 0

    def call(self, path: str, body: Any = None, *, method: str = "POST", expect: int = 200, token: str = "") -> Any:
        """Send JSON; returns the JSON of the response.

        Raises:
            SystemExit: the response has another status.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {"Host": "localhost:8000", "Content-Type": "application/json", "Accept": "application/json"}
        if token:
            headers |= {"Authorization": f"Bearer {token}", "X-Session-Token": token}
        try:
            connection.request(method, path, None if method == "GET" else json.dumps(body or {}), headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != expect:
            name = self.server.peer.name
            raise SystemExit(f"bench: {name} answers {method} {path} with {response.status}: {content[:400]!r}")
        return json.loads(content) if content else {}

    def next_code(self) -> str:
        """The code of the app, once it shows another one than the last that was used."""
        while int(time.time()) // STEP <= self.used_step:
            time.sleep(0.2)
        self.used_step = int(time.time()) // STEP
        return pyotp.TOTP(self.secret).at(self.used_step * STEP)


class OurClient(Client):
    """Of this service."""

    def set_up(self) -> None:
        """Add a passkey and an app."""
        access = self.call("/userapi/auth/login/", self.credentials)["access_token"]
        options = self.call("/userapi/auth/factors/passkeys/options/", token=access)["publicKey"]
        credential = self.authenticator.create(options)
        self.call("/userapi/auth/factors/passkeys/", {"credential": credential}, expect=201, token=access)
        access = self.passkey()["access_token"]
        app = self.call("/userapi/auth/factors/totp/", {}, expect=201, token=access)
        self.secret = app["secret"]
        self.call(
            f"/userapi/auth/factors/totp/{app['id']}/confirm/", {"code": self.next_code()}, expect=201, token=access
        )

    def password(self) -> None:
        """Begin a sign-in."""
        self.token = self.call("/userapi/auth/login/", self.credentials, expect=401)["mfa_token"]

    def code(self) -> None:
        """Finish it."""
        self.call("/userapi/auth/login/second-step/", {"mfa_token": self.token, "code": self.next_code()})

    def passkey(self) -> Any:
        """Sign in without a password."""
        options = self.call("/userapi/auth/login/passkey/options/")["publicKey"]
        return self.call("/userapi/auth/login/passkey/", {"credential": self.authenticator.get(options)})


class AllauthClient(Client):
    """Of django-allauth headless."""

    API = "/_allauth/app/v1"

    def set_up(self) -> None:
        """Add an app and a passkey."""
        token = self.call(f"{self.API}/auth/login", self.credentials)["meta"]["session_token"]
        password = {"password": sample_users.PASSWORD}
        self.call(f"{self.API}/auth/reauthenticate", password, token=token)
        path = f"{self.API}/account/authenticators/totp"
        self.secret = self.call(path, method="GET", expect=404, token=token)["meta"]["secret"]
        self.call(path, {"code": self.next_code()}, token=token)
        path = f"{self.API}/account/authenticators/webauthn"
        options = self.call(f"{path}?passwordless", method="GET", token=token)["data"]["creation_options"]["publicKey"]
        credential = self.authenticator.create(options)
        self.call(path, {"name": "Laptop", "credential": credential}, token=token)

    def password(self) -> None:
        """Begin a sign-in."""
        self.token = self.call(f"{self.API}/auth/login", self.credentials, expect=401)["meta"]["session_token"]

    def code(self) -> None:
        """Finish it."""
        self.call(f"{self.API}/auth/2fa/authenticate", {"code": self.next_code()}, token=self.token)

    def passkey(self) -> Any:
        """Sign in without a password."""
        path = f"{self.API}/auth/webauthn/login"
        begun = self.call(path, method="GET")
        credential = self.authenticator.get(begun["data"]["request_options"]["publicKey"])
        return self.call(path, {"credential": credential}, token=begun["meta"]["session_token"])


CLIENTS: dict[str, type[OurClient] | type[AllauthClient]] = {OURS: OurClient, "allauth-headless": AllauthClient}


@contextmanager
def processor(server: Server, sample: dict[str, float], number: int) -> Iterator[None]:
    """Store in the sample what application and database use for each of a number of calls in the block, in ms."""
    database = postgresql.pid()
    before = server.used(), used_by(database)
    yield
    after = server.used(), used_by(database)
    sample["app"], sample["db"] = ((end - start) / number * 1000 for start, end in zip(before, after, strict=True))


def measure(servers: Sequence[Server], rounds: int, users: int) -> list[report.Sample]:
    """Let users sign in again and again, the servers in turns; the samples have `operation`, `peer`, `round`, costs."""
    samples: list[report.Sample] = []
    first = 2 + int(time.time()) % 50_000  # users of an earlier run have factors already
    clients = {server: [CLIENTS[server.peer.name](server, first + n) for n in range(users)] for server in servers}
    for group in clients.values():
        for client in group:
            client.set_up()
    for number in range(-1, rounds):
        for name in TITLES:
            for server, group in clients.items():
                sample: dict[str, Any] = {"operation": name, "peer": server.peer.name, "round": number}
                calls: list[Callable[[], Any]] = [getattr(client, name) for client in group]
                with processor(server, sample, users):
                    for call in calls:
                        call()
                if number >= 0:  # the first round is for warming up
                    samples.append(sample)
    return samples


def table(samples: Sequence[report.Sample]) -> str:
    """The medians over the rounds, and the ratios within rounds."""
    rows = []
    for operation, title in TITLES.items():
        for peer in CLIENTS:
            group = [s for s in samples if (s["operation"], s["peer"]) == (operation, peer)]
            times = report.ratio(samples, operation, peer)
            rows.append(
                (
                    title,
                    peer,
                    *(f"{median(sample[part] for sample in group):.2f}" for part in ("app", "db")),
                    "" if peer == OURS or times is None else f"{times:.1f}×",
                    f"±{report.spread(group):.0%}",
                )
            )
    return report.table(("operation", "service", "application ms", "database ms", "relative cost", "spread"), rows)


def load_average() -> str:
    """A sentence about what else this machine does."""
    return f"The load average was {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors."
