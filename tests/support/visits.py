"""Visits to providers, made by calling the rules."""

import json
from typing import Any

import sqlalchemy as sa
from flask import Flask

from tests.support.fake_provider import FakeProvider
from userapi.core.db import db
from userapi.federation import exchange, providers, visits
from userapi.federation.assertions import Assertion
from userapi.federation.visits import Purpose, Started

BROWSER = "cookie of the browser"


def begin(app: Flask, provider_id: str = "acme", purpose: Purpose = Purpose.SIGN_IN, **options: Any) -> Started:
    """Begin a visit."""
    with app.test_request_context():
        started = visits.begin(providers.find(provider_id), purpose, **{"browser_secret": BROWSER, **options})
        db.session.commit()
        return started


def answer(app: Flask, query: dict[str, str], provider_id: str = "acme", browser: str = BROWSER) -> Assertion:
    """Come back from the provider with a query string."""
    with app.test_request_context():
        visit = visits.spend(provider_id, query["state"], browser)
        try:
            return exchange.prove(providers.find(provider_id), visit, query["state"], query)
        finally:
            db.session.commit()


def prove(app: Flask, fake: FakeProvider, provider_id: str = "acme", **options: Any) -> Assertion:
    """Make a whole visit."""
    return answer(app, fake.visit(begin(app, provider_id, **options).url), provider_id)


def failures(app: Flask) -> list[str]:
    """The reasons of the sign-ins that failed."""
    with app.app_context():
        rows = db.session.scalars(
            sa.text("SELECT changes FROM audit_events WHERE action = 'provider_sign_in.failed' ORDER BY id")
        )
        return [(json.loads(row) if isinstance(row, str) else row)["reason"][1] for row in rows]
