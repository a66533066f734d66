"""The shapes of webhooks and deliveries."""

from typing import Any, ClassVar

from flask_babel import gettext as _
from marshmallow import Schema, ValidationError, fields, validates_schema

from userapi.http.fields import Flag, Line, Timestamp, choice_check, length_check, range_check
from userapi.outbound.webhook_requests import MAX_URL_LENGTH
from userapi.outbound.webhook_requests import Error as RequestError
from userapi.users.schemas import InputTimestamp

from .endpoint_checks import INCLUDABLE, MAX_EVENT_LENGTH, MAX_EVENTS
from .endpoints import DEFAULT_OVERLAP, MAX_OVERLAP
from .models import MAX_DESCRIPTION_LENGTH, DisabledReason, State
from .queries import ENDED

MAX_PAGE_SIZE = 200

STATES = [state.value for state in State]

#: The states of deliveries that can be replayed.
REPLAYABLE = [state.value for state in ENDED]

_EVENTS = fields.List(
    fields.String(validate=length_check(1, MAX_EVENT_LENGTH)),
    validate=length_check(1, MAX_EVENTS),
    metadata={
        "description": "The actions that are sent, such as `user.changed`; all of one kind, such as `user.*`; or all: "
        "`*`.",
        "example": ["user.*"],
    },
)
_INCLUDE = fields.List(
    fields.String(validate=choice_check(INCLUDABLE)),
    metadata={"description": "With `user`, bodies contain the user as they are when the event is sent."},
)


class ChangedWebhookSchema(Schema):
    """What can be changed of a webhook."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"events": ["user.*", "session.ended"]}

    url = fields.String(
        validate=length_check(1, MAX_URL_LENGTH),
        metadata={
            "format": "uri",
            "description": "Where events are sent: `https`, a public host name, and a port of `WEBHOOK_PORTS`.",
        },
    )
    events = _EVENTS
    description = Line(MAX_DESCRIPTION_LENGTH, metadata={"description": "What it is for."})
    include = _INCLUDE
    active = Flag(metadata={"description": "With `false`, events are kept until it is active again."})


class WebhookChangesSchema(ChangedWebhookSchema):
    """Changes of a webhook."""

    drop_held = Flag(
        load_default=False,
        metadata={"description": "With `active: true`: drop the events that were kept, instead of sending them."},
    )


class NewWebhookSchema(ChangedWebhookSchema):
    """A new webhook."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"url": "https://shop.example.com/hooks/accounts", "events": ["user.*"]}

    url = fields.String(
        required=True,
        validate=length_check(1, MAX_URL_LENGTH),
        metadata=ChangedWebhookSchema._declared_fields["url"].metadata,
    )
    events = fields.List(
        fields.String(validate=length_check(1, MAX_EVENT_LENGTH)),
        required=True,
        validate=length_check(1, MAX_EVENTS),
        metadata=_EVENTS.metadata,
    )


class WebhookSchema(Schema):
    """A webhook."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35",
        "url": "https://shop.example.com/hooks/accounts",
        "description": "Orders of the shop",
        "events": ["user.*"],
        "include": [],
        "active": True,
        "health": "active",
        "disabled_reason": None,
        "waiting": 0,
        "failing_since": None,
        "last_attempt_at": "2026-11-29T08:05:13.207311Z",
        "last_success_at": "2026-11-29T08:05:13.207311Z",
        "previous_secret_until": None,
        "created_at": "2026-11-28T10:12:00.118270Z",
    }

    id = fields.UUID(required=True, metadata={"description": "The id of the webhook."})
    url = fields.String(required=True, metadata={"format": "uri", "description": "Where events are sent."})
    description = fields.String(required=True, metadata={"description": "What it is for."})
    events = fields.List(fields.String(), required=True, metadata={"description": "The actions that are sent."})
    include = fields.List(fields.String(), required=True, metadata={"description": "What bodies contain beside it."})
    active = fields.Boolean(required=True, metadata={"description": "Whether events are sent, or kept."})
    health = fields.String(
        required=True,
        metadata={"enum": ["active", "failing", "disabled"], "description": "`failing`: the last attempt failed."},
    )
    disabled_reason = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "enum": [*(reason.value for reason in DisabledReason), None],
            "description": "Why it is not active: staff disabled it, the receiver responded with 410, or no attempt "
            "succeeded for five days.",
        },
    )
    waiting = fields.Integer(required=True, metadata={"description": "The number of events that are still to be sent."})
    failing_since = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "The first failed attempt since the last one that succeeded."},
    )
    last_attempt_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When something was last sent."}
    )
    last_success_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When something was last accepted."}
    )
    previous_secret_until = Timestamp(
        required=True,
        allow_none=True,
        metadata={"description": "Until when the previous secret signs too, after it was replaced."},
    )
    created_at = Timestamp(required=True, metadata={"description": "When it was created."})


class WebhooksSchema(Schema):
    """All webhooks."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"results": [WebhookSchema.EXAMPLE]}

    results = fields.List(fields.Nested(WebhookSchema), required=True, metadata={"description": "The webhooks."})


class SecretSchema(Schema):
    """The secret of a webhook."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}

    secret = fields.String(
        required=True,
        metadata={"description": "The key of the signatures, as libraries for Standard Webhooks read it."},
    )


class SecretRotationSchema(Schema):
    """How to replace a secret."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"overlap": DEFAULT_OVERLAP}

    overlap = fields.Integer(
        load_default=DEFAULT_OVERLAP,
        validate=range_check(0, MAX_OVERLAP),
        metadata={"description": "For how many seconds the previous secret signs too."},
    )


class TestResultSchema(Schema):
    """What became of a test."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "accepted": True,
        "status": 204,
        "error": None,
        "duration_ms": 87,
        "response": "",
    }

    accepted = fields.Boolean(
        required=True, metadata={"description": "Whether the receiver responded completely, with 2xx."}
    )
    status = fields.Integer(required=True, allow_none=True, metadata={"description": "The status of the response."})
    error = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "enum": [*(error.value for error in RequestError), None],
            "description": "Why there is no complete response.",
        },
    )
    duration_ms = fields.Integer(required=True, metadata={"description": "How long it took, in milliseconds."})
    response = fields.String(
        required=True, metadata={"description": "The first 200 printable characters of the response."}
    )


class AttemptSchema(TestResultSchema):
    """An attempt to deliver an event."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "attempted_at": "2026-11-29T08:05:13.207311Z",
        "accepted": False,
        "status": 503,
        "error": None,
        "duration_ms": 87,
        "response": "Service Unavailable",
    }

    attempted_at = Timestamp(required=True, metadata={"description": "When it was sent."})


class DeliverySchema(Schema):
    """An event for a webhook."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 4711,
        "message_id": "msg_2b9d355f2b0c1e9d3a4e578c641a7f0e",
        "event_id": "evt_18231",
        "type": "user.changed",
        "user_id": 7,
        "state": "waiting",
        "due_at": "2026-11-29T08:10:13.207311Z",
        "attempt_count": 1,
        "last_status": 503,
        "last_error": None,
        "created_at": "2026-11-29T08:05:12.482913Z",
        "ended_at": None,
        "replayed_at": None,
    }

    id = fields.Integer(required=True, metadata={"description": "The id of the delivery."})
    message_id = fields.String(
        required=True, metadata={"description": "The header `webhook-id`, the same in every attempt."}
    )
    event_id = fields.String(required=True, metadata={"description": "The id of the event, as in the body."})
    type = fields.String(required=True, metadata={"description": "What happened, as an action of the audit log."})
    user_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The user that the event is about, if it is one."}
    )
    state = fields.String(
        required=True,
        metadata={"enum": STATES, "description": "`held`: it waits because the webhook is not active."},
    )
    due_at = Timestamp(required=True, allow_none=True, metadata={"description": "When the next attempt may start."})
    attempt_count = fields.Integer(
        required=True, metadata={"description": "The number of attempts since it was created or replayed."}
    )
    last_status = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The status of the last response."}
    )
    last_error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the last attempt got no complete response."}
    )
    created_at = Timestamp(required=True, metadata={"description": "When the event happened."})
    ended_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When it was delivered, failed or was dropped."}
    )
    replayed_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When it was last queued again by a replay."}
    )


class DeliveryPageSchema(Schema):
    """A page of deliveries, newest first."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"next": None, "results": [DeliverySchema.EXAMPLE]}

    next = fields.String(
        required=True, allow_none=True, metadata={"format": "uri", "description": "The URL of the next page."}
    )
    results = fields.List(
        fields.Nested(DeliverySchema), required=True, metadata={"description": "The deliveries of this page."}
    )


class DeliveryDetailSchema(DeliverySchema):
    """A delivery with its attempts."""

    EXAMPLE: ClassVar[dict[str, Any]] = {**DeliverySchema.EXAMPLE, "attempts": [AttemptSchema.EXAMPLE]}

    attempts = fields.List(
        fields.Nested(AttemptSchema), required=True, metadata={"description": "The attempts, oldest first."}
    )


class DeliveryQuerySchema(Schema):
    """A page of deliveries."""

    state = fields.String(validate=choice_check(STATES), metadata={"description": "Only deliveries in this state."})
    limit = fields.Integer(
        load_default=50,
        validate=range_check(1, MAX_PAGE_SIZE),
        metadata={"description": "The maximum number of deliveries on a page."},
    )
    cursor = fields.String(
        validate=length_check(maximum=2000), metadata={"description": "The cursor from the URL in `next`."}
    )


class ReplaySchema(Schema):
    """Which deliveries to replay."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"since": "2026-11-29T08:00:00Z", "state": "failed"}

    since = InputTimestamp(
        required=True,
        metadata={
            "type": "string",
            "format": "date-time",
            "description": "Only deliveries of events from this time on: a day (UTC), or a time with its zone.",
        },
    )
    until = InputTimestamp(
        metadata={"type": "string", "format": "date-time", "description": "Only deliveries of events before this time."}
    )
    state = fields.String(
        validate=choice_check(REPLAYABLE),
        metadata={"description": "Only deliveries in this state."},
    )

    @validates_schema
    def check_order(self, sent: dict[str, Any], **_options: Any) -> None:
        """Reject a range that ends before it begins."""
        if "until" in sent and sent["until"] <= sent["since"]:
            raise ValidationError(_("Must be later than since."), "until")


class ReplayCountSchema(Schema):
    """How many deliveries are replayed."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"count": 12}

    count = fields.Integer(required=True, metadata={"description": "The number of deliveries that were queued again."})
