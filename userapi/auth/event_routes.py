"""`/userapi/events/`: the event feed, for other services."""

from typing import Any

from flask import Response

from userapi.audit import feed
from userapi.audit.event_document import build_event_document
from userapi.core.problems import ValidationFailed
from userapi.core.scopes import Scope
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.users.site_urls import users_url

from .event_schemas import EventPageSchema, EventQuerySchema

blueprint = Blueprint("events", __name__, description="Events for other services.")


@blueprint.get("/events/")
@blueprint.superusers_only
@blueprint.scope(Scope.EVENTS)
@blueprint.arguments(EventQuerySchema, location="query")
@blueprint.response(200, EventPageSchema)
@blueprint.raises(ValidationFailed, feed.PositionGone)
def list_events(query: dict[str, Any]) -> Response:
    """List the events after a position, oldest first. Send the `after` of each response with the next request."""
    if query.get("after") == feed.LATEST:
        return json_response({"results": [], "after": feed.encode(feed.find_end())})
    page = feed.read_page(query.get("after"), query["limit"], query["action"])
    base = users_url()
    found = [build_event_document(event, base) for event in page.events]
    return json_response({"results": found, "after": feed.encode(page.position)})
