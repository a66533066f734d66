"""Sending a test to a webhook, immediately."""

import uuid

from flask import current_app

from userapi.core import clock
from userapi.core.problems import Unavailable
from userapi.outbound import http_client, limits, webhook_requests
from userapi.outbound.webhook_requests import Result

from . import endpoints, payload, signing


def send_test(endpoint_id: uuid.UUID) -> Result:
    """Send a test, even to a disabled webhook. It is tried once, and nothing is stored.

    Call it outside a transaction.

    Raises:
        WebhookNotFound: there is none with this id.
        Unavailable: as many tests run already as may run at the same time.
    """
    endpoint = endpoints.find(endpoint_id)
    body = payload.build_test_body()
    headers = signing.make_headers(endpoint, uuid.uuid4(), clock.now(), body)
    try:
        with http_client.get_limits(current_app).take_turn("webhooks"):
            return webhook_requests.post(endpoint.url, body, headers)
    except limits.Unavailable as error:
        raise Unavailable from error
