"""The schema of the export of a user's own data."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from userapi.http.fields import Timestamp
from userapi.users.schemas import OwnUserSchema

from .personal_tables import PARTS


class OwnEventSchema(Schema):
    """An event that the caller caused, or that is about the caller."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": 4711,
        "action": "user.changed",
        "occurred_at": "2026-11-29T08:05:12.482913Z",
        "source": "owner",
        "target": "own account",
        "target_id": None,
        "address": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "request_id": "0d9f6a523b7e4c1da8f06e5b4c3d2a19",
        "key_id": None,
        "fields": ["profile.city"],
        "changes": {"profile.city": ["Boston", "York"]},
    }

    id = fields.Integer(required=True, metadata={"description": "The id of the event."})
    action = fields.String(required=True, metadata={"description": "What happened, as an action of the audit log."})
    occurred_at = Timestamp(required=True, metadata={"description": "When it happened."})
    source = fields.String(required=True, metadata={"description": "Who caused it, as in the activity."})
    target = fields.String(
        required=True, allow_none=True, metadata={"description": "`own account`, or the kind of what was acted on."}
    )
    target_id = fields.String(
        required=True, allow_none=True, metadata={"description": "Its id; null for accounts, also those of others."}
    )
    address = fields.String(required=True, allow_none=True, metadata={"description": "The IP address of the caller."})
    user_agent = fields.String(required=True, allow_none=True)
    request_id = fields.String(
        required=True, allow_none=True, metadata={"description": "The id of the request, as the logs have it."}
    )
    key_id = fields.UUID(required=True, allow_none=True, metadata={"description": "The API key of the caller."})
    fields_ = fields.List(
        fields.String(), required=True, data_key="fields", metadata={"description": "The fields that changed."}
    )
    changes = fields.Dict(
        required=True,
        metadata={"description": "Their values before and after, if they are the caller's own."},
    )


_Parts: Any = Schema.from_dict({
    part.member: fields.List(fields.Dict(), required=True, metadata={"description": part.text}) for part in PARTS
})  # fmt: skip


class OwnDataSchema(_Parts):
    """Everything that is stored about the caller."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "exported_at": "2026-11-29T08:21:40.190372Z",
        "user": {
            **OwnUserSchema.EXAMPLE,
            "email_verified_at": "2026-11-24T18:40:03.220914Z",
            "terms_version": None,
            "terms_accepted_at": None,
        },
        "groups": [],
        "permissions": [],
        **{part.member: [] for part in PARTS},
        "events": [OwnEventSchema.EXAMPLE],
    }

    exported_at = Timestamp(required=True, metadata={"description": "When the data were read."})
    user = fields.Dict(
        required=True,
        metadata={"description": "The account, with all fields of the profile, also those that only staff see."},
    )
    groups = fields.List(fields.String(), required=True, metadata={"description": "The names of the groups."})
    permissions = fields.List(
        fields.String(), required=True, metadata={"description": "The permissions besides those of groups."}
    )
    extensions = fields.Dict(
        metadata={"description": "What installed extensions store about the caller, by their names; if any do."}
    )
    events = fields.List(
        fields.Nested(OwnEventSchema), required=True, metadata={"description": "All events, the oldest first."}
    )
