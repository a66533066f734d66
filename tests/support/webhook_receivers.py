"""Receivers of webhooks on this machine, and webhooks that send to them."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask

from tests.support.raw_server import RawServer, Respond, raw_server, respond_with
from userapi.core.db import db
from userapi.webhooks import endpoints

ACCEPTED = "204 No Content"


@dataclass(frozen=True)
class Received:
    """A request that a receiver got."""

    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def sequence(self) -> int:
        """The number of the event."""
        return int(self.document["sequence"])


def allow_receivers(app: Flask) -> None:
    """Let webhooks be on this machine."""
    app.config["WEBHOOK_ALLOWED_NETWORKS"] = ("127.0.0.0/8",)


def received(server: RawServer) -> list[Received]:
    """The requests that a server got, in order."""
    found = []
    for request in server.requests:
        head, _blank, body = request.partition(b"\r\n\r\n")
        lines = (line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:])
        found.append(Received({name.lower(): value for name, _colon, value in lines}, body))
    return found


def responding(*heads: str) -> Respond:
    """A response for each request in turn; the last one is repeated."""
    left = list(heads)
    return lambda connection: respond_with(b"", left.pop(0) if len(left) > 1 else left[0])(connection)


@contextmanager
def receiver(respond: Respond | None = None) -> Iterator[RawServer]:
    """A receiver that accepts everything, or responds otherwise."""
    with raw_server(respond or respond_with(b"", ACCEPTED)) as server:
        yield server


def add_webhook(server: RawServer, events: Sequence[str] = ("user.*",), **options: Any) -> Any:
    """Create a webhook, commit, and return its id."""
    endpoint = endpoints.create(f"{server.url}/hook", events, maker_id=None, **options)
    endpoint_id = endpoint.id
    db.session.commit()
    return endpoint_id


def act(record: Callable[..., Any], *arguments: Any) -> int:
    """Record an event, commit, and return its id."""
    event_id: int = record(*arguments)
    db.session.commit()
    return event_id
