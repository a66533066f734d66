"""Node services verify the webhooks that the service sends, with the TypeScript client and with the library in it."""

from dataclasses import asdict
from typing import Any

import pytest
from flask import Flask

from tests.support.factories import make_user
from tests.support.typescript_client import Evaluate
from tests.support.webhook_receivers import Received, add_webhook, allow_receivers, received, receiver
from userapi.core.db import db
from userapi.webhooks import delivery, endpoints

pytestmark = pytest.mark.slow

#: For each secret, the names that a verifier finds in each request; null if it rejects the request.
VERIFY_ALL = """
    const attempt = (verify) => { try { return verify().data.user.first_name; } catch (error) { return error.name; } };
    const table = (verify) => Object.fromEntries(
      Object.entries(secrets).map(([name, secret]) =>
        [name, requests.map(({ body, headers }) => attempt(() => verify(secret, body, headers)))]));
    const bytes = (text) => new TextEncoder().encode(text);
"""


def as_text(request: Received) -> dict[str, Any]:
    return asdict(request) | {"body": request.body.decode()}


def test_W35_nodes_library_verifies_webhooks_before_during_and_after_a_rotation(app: Flask, evaluate: Evaluate) -> None:
    allow_receivers(app)
    with app.app_context(), receiver() as server:
        webhook_id = add_webhook(server, ["user.created"], includes=["user"])
        secrets = {"first": endpoints.reveal_secret(webhook_id)}
        deliver_new_user(app)
        secrets["second"] = endpoints.rotate_secret(webhook_id, overlap=3600)
        deliver_new_user(app)
        secrets["third"] = endpoints.rotate_secret(webhook_id, overlap=0)
        deliver_new_user(app)
    requests = [as_text(request) for request in received(server)]

    by_library = evaluate(
        VERIFY_ALL + "return table((secret, body, headers) => new Webhook(secret).verify(body, headers));",
        secrets=secrets, requests=requests,
    )  # fmt: skip
    by_client = evaluate(
        VERIFY_ALL
        + "return table((secret, body, headers) => createReceiver(secret).verify(bytes(body), new Headers(headers)));",
        secrets=secrets, requests=requests,
    )  # fmt: skip

    name, error = "Zoë", "WebhookVerificationError"
    expected = {"first": [name, name, error], "second": [error, name, error], "third": [error, error, name]}
    assert by_library == expected
    assert by_client == expected


def deliver_new_user(app: Flask) -> None:
    """Create a user and send the webhooks about it."""
    db.session.commit()
    make_user(app, first_name="Zoë")
    assert delivery.deliver_due() == 1


def test_a_request_that_was_changed_or_is_old_or_is_not_text_is_rejected(app: Flask, evaluate: Evaluate) -> None:
    allow_receivers(app)
    with app.app_context(), receiver() as server:
        secret = endpoints.reveal_secret(add_webhook(server, ["user.created"]))
        deliver_new_user(app)
    [request] = [as_text(request) for request in received(server)]

    seen = evaluate(
        """
        const receiver = createReceiver(secret);
        const attempt = (...request) => {
          try { return receiver.verify(...request).type; } catch ({ name }) { return name; }
        };
        const inNode = { ...headers, host: "receiver", "set-cookie": ["a"] };
        const other = { ...headers, "webhook-id": "msg_another" };
        const results = [attempt(body, inNode), attempt(body + " ", headers), attempt(body, other), attempt(body, {})];
        results.push(attempt(new Uint8Array([0xff]), headers));
        later(301);
        return [...results, attempt(body, headers)];
        """,
        secret=secret, **request,
    )  # fmt: skip

    assert seen == ["user.created"] + ["WebhookVerificationError"] * 5
