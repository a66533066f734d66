"""`/userapi/webhooks/`: who gets events, and what was sent to them."""

import uuid
from typing import Any

from flask import Response

from userapi.auth import proof
from userapi.auth.caller import require_scope
from userapi.core import context
from userapi.core.db import db
from userapi.core.problems import ProofNeeded, Unavailable, ValidationFailed
from userapi.core.scopes import Scope
from userapi.http import pagination
from userapi.http.openapi import Blueprint
from userapi.http.pagination import Cursor
from userapi.http.responses import json_response

from . import endpoints, queries, replays, trial, webhook_json
from .models import State, WebhookEndpoint
from .problems import DeliveryNotFound, TooManyWebhooks, WebhookNotFound, WebhooksOff
from .schemas import (
    DeliveryDetailSchema,
    DeliveryPageSchema,
    DeliveryQuerySchema,
    NewWebhookSchema,
    ReplayCountSchema,
    ReplaySchema,
    SecretRotationSchema,
    SecretSchema,
    TestResultSchema,
    WebhookChangesSchema,
    WebhookSchema,
    WebhooksSchema,
)

blueprint = Blueprint("webhooks", __name__, description="Webhooks, which send events to other services.")

#: The order of deliveries, for their cursors.
ORDER = "-id"


@blueprint.before_request
def require_on() -> None:
    """Reject every request while the service sends no events."""
    if not endpoints.is_enabled():
        raise WebhooksOff


@blueprint.get("/webhooks/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.response(200, WebhooksSchema)
def list_webhooks() -> Response:
    """List all webhooks, oldest first."""
    return json_response({"results": webhook_json.describe_webhooks(queries.list_endpoints())})


@blueprint.post("/webhooks/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.arguments(NewWebhookSchema)
@blueprint.response(201, WebhookSchema)
@blueprint.raises(ValidationFailed, TooManyWebhooks, ProofNeeded, WebhooksOff)
@blueprint.leads_to(
    201,
    "read_webhook",
    "read_webhook_secret",
    "test_webhook",
    "list_deliveries",
    parameters={"webhook_id": "$response.body#/id"},
)
def create_webhook(sent: dict[str, Any]) -> Response:
    """Create a webhook. Events that happen from now on are sent to its URL.

    To include users, an API key needs the scope `users` too.
    """
    proof.require_fresh_where_needed(always=True)  # not with an API key
    created = endpoints.create(
        sent["url"],
        sent["events"],
        maker_id=context.current_user().id,
        description=sent.get("description", ""),
        includes=sent.get("include", ()),
        is_active=sent.get("active", True),
    )
    _require_access_to_users(created)
    db.session.commit()
    return _respond(created.id, 201)


@blueprint.get("/webhooks/<uuid:webhook_id>/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.response(200, WebhookSchema)
@blueprint.raises(WebhookNotFound)
def read_webhook(webhook_id: uuid.UUID) -> Response:
    """Read a webhook."""
    return _respond(webhook_id)


@blueprint.patch("/webhooks/<uuid:webhook_id>/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.arguments(WebhookChangesSchema)
@blueprint.response(200, WebhookSchema)
@blueprint.raises(ValidationFailed, WebhookNotFound, ProofNeeded)
def change_webhook(sent: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """Change a webhook. Fields that you do not send stay as they are.

    To include users, or to change the URL of a webhook that includes them, an API key needs the scope `users` too.
    """
    proof.require_fresh_where_needed(always=True)  # not with an API key
    names = {"include": "includes", "active": "is_active"}
    changes = {names.get(name, name): value for name, value in sent.items() if name != "drop_held"}
    drops_held = sent["drop_held"] and changes.get("is_active")
    if drops_held:
        del changes["is_active"]
    changed = endpoints.change(webhook_id, changes)
    if {"url", "include"} & sent.keys():
        _require_access_to_users(changed)
    if drops_held:
        endpoints.enable(webhook_id, drop_waiting=True)
    db.session.commit()
    return _respond(webhook_id)


@blueprint.delete("/webhooks/<uuid:webhook_id>/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.response(204)
@blueprint.raises(WebhookNotFound)
def delete_webhook(webhook_id: uuid.UUID) -> Response:
    """Delete a webhook. Nothing more is sent to it."""
    endpoints.delete(webhook_id)
    db.session.commit()
    return Response(status=204)


@blueprint.get("/webhooks/<uuid:webhook_id>/secret/")
@blueprint.superusers_only
@blueprint.fresh
@blueprint.response(200, SecretSchema)
@blueprint.raises(WebhookNotFound)
def read_webhook_secret(webhook_id: uuid.UUID) -> Response:
    """Read the secret that signs what is sent to a webhook."""
    return json_response({"secret": endpoints.reveal_secret(webhook_id)})


@blueprint.post("/webhooks/<uuid:webhook_id>/rotate/")
@blueprint.superusers_only
@blueprint.fresh
@blueprint.arguments(SecretRotationSchema)
@blueprint.response(200, SecretSchema)
@blueprint.raises(ValidationFailed, WebhookNotFound)
def rotate_webhook_secret(sent: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """Replace the secret of a webhook. The previous one signs too until the end of the overlap."""
    secret = endpoints.rotate_secret(webhook_id, sent["overlap"])
    db.session.commit()
    return json_response({"secret": secret})


@blueprint.post("/webhooks/<uuid:webhook_id>/test/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.response(200, TestResultSchema)
@blueprint.raises(WebhookNotFound, Unavailable)
def test_webhook(webhook_id: uuid.UUID) -> Response:
    """Send a test to a webhook. Its type is `webhook.test`, and the response says what became of it."""
    return json_response(webhook_json.describe_result(trial.send_test(webhook_id)))


@blueprint.get("/webhooks/<uuid:webhook_id>/deliveries/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.arguments(DeliveryQuerySchema, location="query")
@blueprint.response(200, DeliveryPageSchema)
@blueprint.raises(ValidationFailed, WebhookNotFound)
def list_deliveries(query: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """List the deliveries to a webhook, newest first."""
    state, limit = State(query["state"]) if "state" in query else None, query["limit"]
    before = pagination.decode_cursor(query["cursor"], ORDER).row_id if "cursor" in query else None
    endpoints.find(webhook_id)
    found = queries.list_deliveries(webhook_id, state, before, limit + 1)
    following = Cursor(ORDER, "next", None, found[limit - 1].id) if len(found) > limit else None
    shown = [webhook_json.describe_delivery(row) for row in found[:limit]]
    return json_response({"next": pagination.build_page_url(following), "results": shown})


@blueprint.get("/webhooks/<uuid:webhook_id>/deliveries/<row_id:delivery_id>/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.response(200, DeliveryDetailSchema)
@blueprint.raises(DeliveryNotFound)
def read_delivery(webhook_id: uuid.UUID, delivery_id: int) -> Response:
    """Read a delivery with its attempts."""
    row = queries.find_delivery(webhook_id, delivery_id)
    if row is None:
        raise DeliveryNotFound
    attempts = webhook_json.describe_attempts(queries.list_attempts(delivery_id))
    return json_response({**webhook_json.describe_delivery(row), "attempts": attempts})


@blueprint.post("/webhooks/<uuid:webhook_id>/deliveries/<row_id:delivery_id>/replay/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.response(202, ReplayCountSchema)
@blueprint.raises(DeliveryNotFound)
def replay_delivery(webhook_id: uuid.UUID, delivery_id: int) -> Response:
    """Send an event again. It has the same `webhook-id`; nothing is queued if it is still to be sent."""
    return _respond_count(replays.replay_one(webhook_id, delivery_id))


@blueprint.post("/webhooks/<uuid:webhook_id>/replay/")
@blueprint.superusers_only
@blueprint.scope(Scope.WEBHOOKS)
@blueprint.arguments(ReplaySchema)
@blueprint.response(202, ReplayCountSchema)
@blueprint.raises(ValidationFailed, WebhookNotFound)
def replay_deliveries(sent: dict[str, Any], webhook_id: uuid.UUID) -> Response:
    """Send the events of a time again. Each has the same `webhook-id` as before."""
    state = State(sent["state"]) if "state" in sent else None
    return _respond_count(replays.replay_range(webhook_id, sent["since"], sent.get("until"), state))


def _require_access_to_users(webhook: WebhookEndpoint) -> None:
    """Let an API key have users sent to a URL only if it may read users."""
    if webhook.includes_user:
        require_scope(Scope.USERS)


def _respond(webhook_id: uuid.UUID, status: int = 200) -> Response:
    (document,) = webhook_json.describe_webhooks([endpoints.find(webhook_id)])
    return json_response(document, status)


def _respond_count(count: int) -> Response:
    db.session.commit()
    return json_response({"count": count}, 202)
