"""Receivers can verify that a request comes from us, with the libraries of Standard Webhooks."""

import sys
from datetime import timedelta

import pytest
from flask import Flask
from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.factories import make_user
from tests.support.webhook_receivers import Received, act, add_webhook, received, receiver
from userapi.audit import audit_log
from userapi.core.db import db
from userapi.webhooks import delivery, endpoints, trial


def is_signed(request: Received, secret: str) -> bool:
    """Whether a request is signed with a secret."""
    try:
        Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


def test_W35_requests_are_signed_with_both_secrets_during_a_rotation_and_then_with_the_new_one(sender: Flask) -> None:
    with receiver() as server:
        webhook = add_webhook(server)
        first = endpoints.reveal_secret(webhook)

        def send() -> Received:
            act(audit_log.record, "user.changed", "user", 7)
            delivery.deliver_due()
            return received(server)[-1]

        before = send()
        second = endpoints.rotate_secret(webhook, overlap=3600)
        db.session.commit()
        during = send()
        endpoint = endpoints.lock(webhook)
        assert endpoint.previous_until is not None
        endpoint.previous_until -= timedelta(seconds=3600)
        db.session.commit()
        after = send()

    verified = [[is_signed(request, secret) for request in (before, during, after)] for secret in (first, second)]
    assert verified == [[True, True, False], [False, True, True]]
    assert second == endpoints.reveal_secret(webhook) != first
    assert not is_signed(Received(during.headers, during.body + b" "), second)


def test_W36_the_exact_bytes_are_signed_of_a_body_with_other_scripts_and_long_numbers(sender: Flask) -> None:
    user_id = make_user(sender, first_name="Ålík 王小明 🦚", last_name="\u202eדנה\u0301")
    with receiver() as server:
        webhook = add_webhook(server, includes=["user"])
        act(audit_log.record, "user.changed", "user", user_id)
        act(audit_log.record, "user.changed", "user", sys.maxsize)
        delivery.deliver_due()

    named, numbered = received(server)
    assert "王小明 🦚".encode() in named.body
    assert str(sys.maxsize).encode() in numbered.body
    assert int(named.headers["content-length"]) == len(named.body)
    assert all(is_signed(request, endpoints.reveal_secret(webhook)) for request in (named, numbered))


def test_a_test_is_signed_sent_immediately_and_even_while_the_webhook_is_disabled(sender: Flask) -> None:
    with receiver() as server:
        webhook = add_webhook(server, is_active=False)
        result = trial.send_test(webhook)

    [request] = received(server)
    assert (result.status, result.error) == (204, None)
    assert request.document["type"] == "webhook.test"
    assert is_signed(request, endpoints.reveal_secret(webhook))


@pytest.mark.parametrize("events", [[], ["user.chnaged"], ["user"], ["*.created"], ["user.*", "x" * 60]])
def test_a_webhook_wants_only_events_that_exist(sender: Flask, events: list[str]) -> None:
    with receiver() as server, pytest.raises(endpoints.endpoint_checks.ValidationFailed) as failure:
        add_webhook(server, events)

    assert set(failure.value.errors or {}) == {"events"}
