"""Which webhooks are accepted. `standardwebhooks`, the library of the standard, signs them."""

import base64
import json
import multiprocessing
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from userapi_client import InvalidWebhook, MemoryStore, Receiver, SqliteStore, Store

SECRET = "whsec_" + base64.b64encode(b"first secret of the endpoint").decode()
NEXT = "whsec_" + base64.b64encode(b"second secret of the endpoint").decode()
DOCUMENT = {
    "type": "user.changed", "timestamp": "2026-11-30T08:15:30.123456Z", "id": "evt_18231", "sequence": 18231,
    "data": {"user": {"id": 2, "url": "https://accounts.example/userapi/users/2/"}, "changed": ["profile.city"],
             "actor": {"id": 1}, "request_id": "ü"},
}  # fmt: skip
BODY = json.dumps(DOCUMENT, ensure_ascii=False).encode()


def make_headers(body: bytes = BODY, *secrets: str, age: int = 0, **changes: str) -> dict[str, str]:
    """The headers of a webhook, with changes; an empty text leaves one out."""
    moment = datetime.fromtimestamp(int(time.time()) - age, UTC)
    signatures = [Webhook(secret).sign("msg_1", moment, body.decode()) for secret in secrets or (SECRET,)]
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    } | {f"webhook-{name}": value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value}


def test_a_webhook_gives_a_typed_event() -> None:
    event = Receiver(SECRET).receive({name.title(): value for name, value in make_headers().items()}, BODY)

    assert (event.id, event.type, event.sequence, event.user_id) == ("evt_18231", "user.changed", 18231, 2)
    assert event.timestamp == datetime(2026, 11, 30, 8, 15, 30, 123456, UTC)
    assert (event.changed, event.sessions, event.message_id) == (("profile.city",), None, "msg_1")
    assert event.data == DOCUMENT["data"]


@pytest.mark.parametrize(
    ("known", "signing"),
    [((SECRET, NEXT), (NEXT,)), ((SECRET,), (NEXT, SECRET)), ((NEXT,), (NEXT, SECRET)), ((SECRET, NEXT), (SECRET,))],
)
def test_webhooks_are_accepted_during_a_rotation(known: tuple[str, ...], signing: tuple[str, ...]) -> None:
    assert Receiver(known).receive(make_headers(BODY, *signing), BODY).user_id == 2


def test_webhooks_with_anything_wrong_are_rejected() -> None:
    receiver, good = Receiver(SECRET), make_headers()
    signature, second = good["webhook-signature"], good["webhook-timestamp"]
    headers = {
        "another secret": make_headers(BODY, NEXT),
        "too old": make_headers(age=302),
        "too new": make_headers(age=-302),
        "another id": make_headers(id="msg_2"),
        "another time": make_headers(timestamp=str(int(second) - 1)),
        "a time that is no number": make_headers(timestamp="now"),
        "a time with a sign": make_headers(timestamp=f"+{second}"),
        "a time in other digits": make_headers(timestamp="١٢٣"),
        "a time that is too long": make_headers(timestamp="1" * 5000),
        "no id": make_headers(id=""),
        "no time": make_headers(timestamp=""),
        "no signature": make_headers(signature=""),
        "an id with a line break": make_headers(id="msg_1\n"),
        "an id outside ASCII": make_headers(id="ö"),
        "an id outside Unicode": make_headers(id="\udce9"),
        "a time outside Unicode": make_headers(timestamp="\udce9"),
        "another version": make_headers(signature=signature.replace("v1,", "v2,")),
        "an asymmetric signature": make_headers(signature=signature.replace("v1,", "v1a,")),
        "no version": make_headers(signature=signature.removeprefix("v1,")),
        "a signature of nothing": make_headers(signature="v1,"),
        "only a version": make_headers(signature="v1"),
        "no base64": make_headers(signature="v1,!!!!"),
        "a signature outside ASCII": make_headers(signature="v1,ö"),
        "a cut signature": make_headers(signature=signature[:-4]),
        "commas": make_headers(signature=f"{signature}, {signature}"[:-4]),
        "a thousand signatures": make_headers(signature=" ".join(["v1,AAAA"] * 1000 + [signature])),
    }

    assert receiver.receive(good, BODY)
    accepted = []
    for name, given in headers.items():
        try:
            receiver.receive(given, BODY)
        except InvalidWebhook:
            continue
        accepted.append(name)
    assert accepted == []
    for body in (BODY + b" ", BODY.replace(b"2,", b"3,"), b""):
        with pytest.raises(InvalidWebhook):
            receiver.receive(good, body)


@pytest.mark.parametrize(
    "document",
    [
        b"", b"[]", b"null", b"text", b"{}", b"[" * 50_000,
        *(json.dumps(DOCUMENT | changes).encode() for changes in (
            {"type": 1}, {"timestamp": "yesterday"}, {"timestamp": "2026-11-30T08:15:30"}, {"data": None},
            {"data": {"user": {}}}, {"data": {"user": {"id": "x"}}}, {"data": {"sessions": [1]}}, {"sequence": None},
            {"sequence": float("inf")},
        )),
        b'{"sequence": ' + b"1" * 5000 + b"}",
    ],
)  # fmt: skip
def test_a_signed_body_that_is_no_event_is_rejected(document: bytes) -> None:
    with pytest.raises(InvalidWebhook):
        Receiver(SECRET).receive(make_headers(document), document)


@pytest.mark.parametrize("secrets", [[], "", "whsec_", "whsec_c2hvcnQ=", "whsec_ä", "whsec_!!", [SECRET, "none"]])
def test_malformed_secrets_are_errors_at_the_start(secrets: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        Receiver(secrets)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db")


def test_a_webhook_is_a_duplicate_once_it_was_handled(store: Store) -> None:
    receiver = Receiver(SECRET, store=store)
    first = receiver.receive(make_headers(age=5), BODY)
    assert not receiver.was_handled(first)
    receiver.mark_handled(first)

    second = receiver.receive(make_headers(), BODY)
    assert receiver.was_handled(second)
    assert not Receiver(SECRET).was_handled(second)


def test_a_store_forgets(store: Store) -> None:
    store.put("b", "1", 60)
    store.put("b", "2", 60)
    store.put("a", "1", 0)

    assert store.read(("a", "b", "c")) == {"b": "2"}


def test_a_store_in_memory_drops_what_expires_next() -> None:
    store = MemoryStore(limit=10)
    for number in range(11):
        store.put(str(number), "", 60 + number)

    assert len(store.read([str(number) for number in range(11)])) == 9
    assert store.read(("10",)) == {"10": ""}


def test_processes_share_a_store_in_a_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.put("a", "1", 60)
    process = multiprocessing.get_context("fork").Process(target=store.put, args=("b", "2", 60))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of threads, which other tests started
        process.start()
    process.join()

    assert store.read(("a", "b")) == {"a": "1", "b": "2"}
    assert SqliteStore(tmp_path / "store.db").read(("b",)) == {"b": "2"}
