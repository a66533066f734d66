"""The schemas of the event feed."""

from typing import Any, ClassVar

from flask_babel import gettext as _
from marshmallow import Schema, ValidationError, fields

from userapi.audit.names import is_known_pattern
from userapi.http.fields import Timestamp, length_check, range_check

MAX_PAGE_SIZE = 1000


def _check_pattern(pattern: str) -> None:
    if not is_known_pattern(pattern):
        raise ValidationError(_("Not an action. Send one such as user.changed, or user.* for all of one kind."))


class EventQuerySchema(Schema):
    """A page of the event feed."""

    after = fields.String(
        validate=length_check(maximum=200),
        metadata={
            "description": "The `after` of the previous response; `latest` returns no event and the current end of the "
            "feed; without it, the feed begins with the oldest event."
        },
    )
    limit = fields.Integer(
        load_default=100,
        validate=range_check(1, MAX_PAGE_SIZE),
        metadata={"description": "The maximum number of events."},
    )
    action = fields.String(
        load_default="*",
        validate=_check_pattern,
        metadata={"description": "Only events of this action, such as `user.changed`, or of a kind, such as `user.*`."},
    )


class NamedUserSchema(Schema):
    """The user that an event is about."""

    id = fields.Integer(required=True, metadata={"description": "The id of the user."})
    url = fields.String(required=True, metadata={"format": "uri", "description": "The URL of the user in the API."})


class TargetSchema(Schema):
    """What an event is about, if it is no user."""

    kind = fields.String(required=True, metadata={"description": "Such as `group`."})
    id = fields.String(required=True, metadata={"description": "Its id."})


class ActorSchema(Schema):
    """The user who acted."""

    id = fields.Integer(required=True, metadata={"description": "The id of the user."})


class EventDataSchema(Schema):
    """What an event says."""

    user = fields.Nested(NamedUserSchema, metadata={"description": "The user that the event is about, if it is one."})
    target = fields.Nested(TargetSchema, metadata={"description": "What the event is about, if it is no user."})
    changed = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The names of the fields that changed, without their values."},
    )
    sessions = fields.List(fields.String(), metadata={"description": "The ids of the sessions that ended, if any did."})
    actor = fields.Nested(
        ActorSchema, required=True, allow_none=True, metadata={"description": "The user who acted, if any."}
    )
    request_id = fields.String(
        required=True, allow_none=True, metadata={"description": "The `X-Request-ID` of the request that did it."}
    )
    key_id = fields.String(
        required=True, allow_none=True, metadata={"description": "The id of the API key of that request, if any."}
    )
    impersonator_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The id of the member of staff who acted as the actor, if any."},
    )


class EventSchema(Schema):
    """An event, in the same form as webhooks send it."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "type": "user.changed",
        "timestamp": "2026-11-29T08:05:12.482913Z",
        "id": "evt_18231",
        "sequence": 18231,
        "data": {
            "user": {"id": 7, "url": "https://accounts.example.com/userapi/users/7/"},
            "changed": ["profile.city"],
            "actor": {"id": 7},
            "request_id": "0f3b1b0e5c1f4c0ab7d4b8f1a2c3d4e5",
            "key_id": None,
            "impersonator_id": None,
        },
    }

    type = fields.String(required=True, metadata={"description": "What happened, as an action of the audit log."})
    timestamp = Timestamp(required=True, metadata={"description": "When it happened."})
    id = fields.String(required=True, metadata={"description": "The id of the event, the same in feed and webhooks."})
    sequence = fields.Integer(
        required=True,
        metadata={"description": "Rises with each change of one user: ignore what is older than what you have."},
    )
    data = fields.Nested(EventDataSchema, required=True, metadata={"description": "What happened to what."})


class EventPageSchema(Schema):
    """A page of the event feed."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"results": [EventSchema.EXAMPLE], "after": "WyJmZWVkIiwibmV4dCIsbnVsbCw0Ml0"}

    results = fields.List(fields.Nested(EventSchema), required=True)
    after = fields.String(
        required=True,
        metadata={"description": "Where the next page starts. If it has changed, there may be more events."},
    )
