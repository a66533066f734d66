"""Events reach receivers and the feed whichever server is killed: none is lost, a user's events keep their order."""

import itertools
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from stack import HOSTS, Stack

from tests.support.app_stack import (
    JSON,
    Load,
    Response,
    call,
    kill_with_children,
    query_database,
    register,
    start_postgresql,
    tokens_for,
)
from tests.support.waiting import wait_until
from userapi_client import Event, FeedReader, InvalidWebhook, Receiver

pytestmark = pytest.mark.stack

USERS = 8

#: Users wait while so many events are queued, so that the test ends as soon as the machine allows.
MAX_QUEUED = 60


class Accepting(ThreadingHTTPServer):
    """A receiver of webhooks that remembers what it accepted, in the order of arrival."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kit: Receiver | None = None
        self.events: list[Event] = []
        self.arrivals, self.stores = 0, True
        self.may_respond = threading.Event()
        self.may_respond.set()

    @contextmanager
    def unfinished(self, *, stores: bool) -> Iterator[None]:
        """Until the block ends, a request has come that gets no response; its event is stored or not."""
        self.may_respond.clear()
        before, self.stores = self.arrivals, stores
        try:
            wait_until(lambda: self.arrivals > before)
            yield
        finally:
            self.stores = True
            self.may_respond.set()


class Handler(BaseHTTPRequestHandler):
    """Accepts what is signed."""

    server: Accepting

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.server.kit is not None
        try:
            event, status = self.server.kit.receive(dict(self.headers), body), 204
        except InvalidWebhook:
            event, status = None, 401
        if event is not None and self.server.stores:
            self.server.events.append(event)
        self.server.arrivals += 1
        self.server.may_respond.wait()
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""


@contextmanager
def receiver(stack: Stack) -> Iterator[Accepting]:
    """A receiver, and a webhook that sends the events of users to it."""
    with Accepting() as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        created, secret = stack.flask("webhooks", "add", url, "--event", "user.changed").splitlines()
        server.kit = Receiver(secret.split()[-1])
        try:
            yield server
        finally:
            stack.flask("webhooks", "delete", created.split()[-1].rstrip("."), "--yes")
            server.shutdown()


def reader(stack: Stack, handle: Callable[[Event], object]) -> FeedReader:
    """A reader of the event feed, which begins with what happens now."""
    stack.flask("service-accounts", "create", "reader")
    options = ("--name", "reader", "--scope", "events")
    key = stack.flask("api-keys", "create", "reader@service.invalid", *options).strip()
    found = FeedReader(stack.url, key, handle, interval=0.1)
    found.read()
    return found


def edits(stack: Stack, server: Accepting) -> Load:
    """Users who change their names, unless many of their events are queued; `acknowledged` are the names."""
    tokens = [tokens_for(stack.url, register(stack.url))["access_token"] for _ in range(USERS)]
    numbers = itertools.count()

    def act(number: int) -> tuple[Response, str | None]:
        name = f"Ada-{next(numbers)}"
        body = f'{{"first_name": "{name}"}}'
        response = call(stack.url, "PATCH", "/userapi/auth/user/", body, tokens[number], **JSON)
        with suppress(AssertionError):
            wait_until(lambda: len(load.acknowledged) < len(server.events) + MAX_QUEUED, timeout=5)
        return response, name if response.status == 200 else None

    load = Load(act, clients=USERS)
    return load


def end_leases(stack: Stack) -> None:
    """Let a minute pass for the webhooks that a killed worker has claimed."""
    query_database(stack, "UPDATE webhook_endpoints SET claimed_until = now() RETURNING id")


def is_in_order(events: Iterable[Event]) -> bool:
    """Whether the numbers of each user's events rise."""
    numbers = defaultdict(list)
    for event in events:
        numbers[event.user_id].append(event.sequence)
    return all(found == sorted(found) for found in numbers.values())


def test_W34_no_event_is_lost_or_out_of_order_when_web_worker_and_database_are_killed(
    stack: Stack, report: Callable[[str], None]
) -> None:
    fed: list[Event] = []
    feed = reader(stack, fed.append)
    ((last_before,),) = (row.values() for row in query_database(stack, "SELECT max(id) FROM audit_events"))
    with receiver(stack) as server:
        feed.start()
        with edits(stack, server) as load:
            load.wait_for_more(30, status=200)
            for host in HOSTS:
                kill_with_children(stack[host])
                load.wait_for_more(30, status=200)
                stack[host].start()
            for stores in (True, False):
                with server.unfinished(stores=stores):
                    kill_with_children(stack["worker"])
                end_leases(stack)
                stack["worker"].start()
                load.wait_for_more(30, status=200)
            with server.unfinished(stores=False):
                kill_with_children(stack["postgresql"])
            load.wait_for_more(5, status=503)
            start_postgresql(stack)
            end_leases(stack)
            load.wait_for_more(30, status=200)

        events = query_database(
            stack, "SELECT id, action, target_id, changes FROM audit_events WHERE id > %s ORDER BY id", last_before
        )
        changes = [event for event in events if event["action"] == "user.changed"]
        wait_until(lambda: not query_database(stack, "SELECT FROM webhook_deliveries WHERE state = 'waiting'"), 60, 0.2)
        wait_until(lambda: len(fed) >= len(events))
        feed.stop()

    written = {event["changes"]["first_name"][1] for event in changes}
    arrivals = Counter(event.message_id for event in server.events)
    first: dict[str | None, Event] = {}
    for event in server.events:
        first.setdefault(event.message_id, event)
    report(
        f"2 app hosts, 2 workers and PostgreSQL killed: {len(load.acknowledged)} edits acknowledged, {len(changes)} "
        f"recorded, {len(arrivals)} delivered, {arrivals.total() - len(arrivals)} twice, {len(fed)} events in the feed"
    )
    assert load.acknowledged - written == set()
    assert sorted(event.sequence for event in first.values()) == [event["id"] for event in changes]
    assert sorted(event.sequence for event in fed) == [event["id"] for event in events]
    assert len(arrivals) < arrivals.total()
    assert is_in_order(first.values())
    assert is_in_order(event for event in fed if event.type == "user.changed")
