"""Whether the service is alive and ready: what it tells, and what it asks to know it."""

from collections.abc import Callable

import services
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from scraping import TOKEN

from userapi.core.db import db


def test_O08_health_tells_no_version_setting_or_address(app: Flask, client: FlaskClient) -> None:
    alive, ready = client.get("/healthz"), client.get("/readyz")

    assert alive.get_json() == {"status": "ok"}
    assert ready.get_json() == {"status": "ok", "checks": dict.fromkeys(("database", "migrations", "keys"), "ok")}


def test_O08_readiness_tells_whether_redis_answers_and_serves_on_without_it(
    make_app: Callable[..., Flask],
) -> None:
    with services.redis_server() as url:
        client = make_app(REDIS_URL=url, METRICS_TOKEN=TOKEN).test_client()
        assert client.get("/readyz").get_json()["checks"]["redis"] == "ok"

    answer = client.get("/readyz")

    assert (answer.status_code, answer.get_json()["checks"]["redis"]) == (200, "unreachable")


def test_O08_liveness_does_not_ask_the_database(app: Flask, client: FlaskClient) -> None:
    asked: list[str] = []

    def note(*_arguments: object) -> None:
        asked.append("asked")

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        sa.event.listen(engine, "checkout", note)
    assert client.get("/readyz").status_code == 200
    assert asked
    asked.clear()

    assert client.get("/healthz").status_code == 200
    for engine in engines:
        sa.event.remove(engine, "checkout", note)
    assert not asked
