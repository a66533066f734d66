"""Traces: what is sent to a collector and what is not."""

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support import commands, http_server
from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, PROFILE, make_user
from tests.support.waiting import wait_until
from userapi.observability import spans, tracing

pytestmark = pytest.mark.both

Span = dict[str, Any]


class Collector:
    """An OpenTelemetry collector (OTLP over HTTP, protobuf) that stores the spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/traces":
                    collector.take(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, body: bytes) -> None:
        """Store the spans of one export."""
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = {pair.key: pair.value.string_value for pair in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                for span in scope.spans:
                    attributes = {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}
                    ids = {"id": span.span_id, "parent": span.parent_span_id, "trace": span.trace_id.hex()}
                    failed = span.status.code == 2
                    self.spans.append({"name": span.name, "service": service, "failed": failed, **ids, **attributes})

    def wait_for(self, count: int, name: str) -> list[Span]:
        """Wait for this number of spans with a name."""

        def found() -> list[Span]:
            return [span for span in self.spans if span["name"] == name]

        wait_until(lambda: len(found()) >= count, timeout=15)
        return found()


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        collector.server.shutdown()
        collector.server.server_close()
        thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def traced(make_app: Callable[..., Flask], collector: Collector) -> Callable[..., Flask]:
    """Makes applications that send their traces to the collector."""
    made: list[Flask] = []

    def make_traced_app(**settings: str) -> Flask:
        made.append(make_app(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **settings))
        return made[-1]

    yield make_traced_app  # type: ignore[misc]
    for app in made:
        app.extensions["userapi-tracer-provider"].shutdown()


def flush(app: Flask) -> None:
    assert app.extensions["userapi-tracer-provider"].force_flush()


def test_a_request_is_a_span_with_its_statements_as_children(
    traced: Callable[..., Flask], collector: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    app = traced()
    user_id = make_user(app, email="ada@example.com")
    headers = {"Authorization": f"Bearer {sign_in(app, 'ada@example.com')['access_token']}"}
    capsys.readouterr()

    client = app.test_client()
    client.get(f"/userapi/users/{user_id}/?format=json", headers=headers | {"X-Request-ID": "find-me"})
    client.patch(f"/userapi/users/{user_id}/", json={"last_name": "Quill"}, headers=headers)

    flush(app)
    (read,) = collector.wait_for(1, "GET /userapi/users/<row_id:user_id>/")
    (written,) = collector.wait_for(1, "PATCH /userapi/users/<row_id:user_id>/")
    assert (read["service"], read["http.response.status_code"], read["failed"]) == ("userapi", 200, False)
    assert read["userapi.request_id"] == "find-me"
    (select,) = [span for span in collector.spans if span["parent"] == read["id"]]
    assert select["name"] == "SELECT"
    assert select["trace"] == read["trace"]
    assert select["db.query.text"].startswith("SELECT users.id")
    below = [span["name"] for span in collector.spans if span["parent"] == written["id"]]
    assert {"UPDATE", "INSERT"} <= set(below) or below == ["SELECT", "WITH"]  # in one statement on PostgreSQL
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["trace_id"] for line in lines if line.get("request_id") == "find-me"] == [read["trace"]]
    assert {line["trace_id"] for line in lines if line["event"] == "user.changed"} == {written["trace"]}


def test_O02_traces_contain_no_personal_data_and_no_secret(traced: Callable[..., Flask], collector: Collector) -> None:
    app = traced()
    client = app.test_client()
    registration = {"email": "ada@example.com", "password": PASSWORD, "profile": PROFILE, "last_name": "Okafor-Quill"}
    agent = {"User-Agent": "Rare/7", "X-Forwarded-For": "198.51.100.7"}
    assert client.post("/userapi/users/", json=registration, headers=agent).status_code == 201
    tokens = sign_in(app, "ada@example.com")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    client.get("/userapi/auth/user/?secret=in-the-query", headers=bearer | agent)
    client.get("/stray/ada@example.com/", headers=agent)
    client.get("/reset/7/a-token-in-the-path/", headers=agent)

    flush(app)
    collector.wait_for(1, "GET /userapi/auth/user/")
    sent = b"".join(collector.bodies)
    words = ["ada@", PASSWORD, "Okafor-Quill", "Pulteney", "Rare/7", "198.51", "127.0.0.1", "in-the-query", "stray"]
    for word in [*words, "a-token-in", tokens["access_token"][-20:], tokens["refresh_token"][-20:], "argon2"]:
        assert word.encode() not in sent, word


@pytest.mark.parametrize(("proxies", "goes_on"), [("1", True), ("0", False)])
def test_continues_traces_of_the_trusted_proxy_only(
    traced: Callable[..., Flask], collector: Collector, proxies: str, goes_on: bool
) -> None:
    app = traced(TRUSTED_PROXIES=proxies)
    trace = "0af7651916cd43dd8448eb211c80319c"

    app.test_client().get("/userapi/", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})

    flush(app)
    (span,) = collector.wait_for(1, "GET /userapi/")
    assert (span["trace"] == trace) is goes_on


def test_failed_spans_are_marked(traced: Callable[..., Flask], collector: Collector, tmp_path: Path) -> None:
    app = traced(DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    assert (
        app.test_client().post("/api-token-auth/", json={"email": "a@example.com", "password": "x"}).status_code == 503
    )

    flush(app)
    (span,) = collector.wait_for(1, "POST /api-token-auth/")
    (statement,) = [found for found in collector.spans if found["parent"] == span["id"]]
    assert (span["failed"], statement["failed"]) == (True, True)


def test_the_service_starts_with_one_warning_if_the_tracing_extra_is_missing(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")

    monkeypatch.setattr(tracing, "import_module", missing)

    app = make_app(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")

    (line,) = capsys.readouterr().err.splitlines()
    assert "requirements/scale.txt" in line
    assert app.test_client().get("/userapi/").status_code == 200


def test_no_traces_are_created_unless_configured(app: Flask) -> None:
    assert spans.TRACER_EXTENSION not in app.extensions


def test_every_worker_of_the_real_server_sends_its_spans(collector: Collector, tmp_path: Path) -> None:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100", "WORKERS": "2"}
    environment = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, **settings)

    with http_server.run_server(tmp_path, environment) as server:
        for _ in range(60):
            with urllib.request.urlopen(f"{server.url}/userapi/", timeout=10) as response:
                assert response.status == 200
        found = collector.wait_for(60, "GET /userapi/")

    assert len(found) == 60
    assert len({span["id"] for span in found}) == 60
