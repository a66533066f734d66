"""The schemas of the activity that owners see of their account."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from userapi.audit.activity import MAX_PAGE_SIZE, Source
from userapi.http.fields import Timestamp, length_check, range_check


class ActivityQuerySchema(Schema):
    """A page of the activity."""

    limit = fields.Integer(
        load_default=50,
        validate=range_check(1, MAX_PAGE_SIZE),
        metadata={"description": "The maximum number of events on a page."},
    )
    cursor = fields.String(
        validate=length_check(maximum=2000), metadata={"description": "The cursor from the URL in `next`."}
    )


class ActivitySchema(Schema):
    """An event of the caller's account."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 4711,
        "action": "session.started",
        "occurred_at": "2026-11-29T08:05:12.482913Z",
        "source": "owner",
        "address": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "fields": [],
        "key_id": None,
        "application": None,
    }

    id = fields.Integer(required=True, metadata={"description": "The id of the event."})
    action = fields.String(required=True, metadata={"description": "What happened, as an action of the audit log."})
    occurred_at = Timestamp(required=True, metadata={"description": "When it happened."})
    source = fields.String(
        required=True,
        metadata={
            "enum": [source.value for source in Source],
            "description": "Who caused the event: you, an anonymous visitor, staff, or the service itself.",
        },
    )
    address = fields.String(
        allow_none=True,
        required=True,
        metadata={"description": "The IP address from which it was done; null if staff or the service did it."},
    )
    user_agent = fields.String(allow_none=True, required=True)
    fields_ = fields.List(
        fields.String(),
        required=True,
        data_key="fields",
        attribute="fields",
        metadata={"description": "The fields that changed, such as `profile.city`."},
    )
    key_id = fields.UUID(
        allow_none=True, required=True, metadata={"description": "The id of your API key, if it was done with one."}
    )
    application = fields.String(
        allow_none=True,
        required=True,
        metadata={"description": "The name of the client application that the event is about, if any."},
    )


class ActivityPageSchema(Schema):
    """A page of the caller's activity."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "next": "https://accounts.example.com/userapi/auth/activity/?limit=1&cursor=WyItaWQi",
        "results": [ActivitySchema.EXAMPLE],
    }

    next = fields.String(required=True, allow_none=True, metadata={"format": "uri"})
    results = fields.List(fields.Nested(ActivitySchema), required=True)
