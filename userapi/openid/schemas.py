"""The shapes of `/userapi/auth/apps/`."""

from typing import Any, ClassVar

from marshmallow import Schema, fields


class ClientAppSchema(Schema):
    """An application that the caller allows something."""

    client_id = fields.String(metadata={"description": "Its client id."})
    name = fields.String(metadata={"description": "Its name."})
    home_page = fields.String(metadata={"description": "Where you can read about it; may be empty."})
    scopes = fields.List(fields.String(), metadata={"description": "What you allow it."})
    since = fields.AwareDateTime(metadata={"description": "Since when."})
    last_used_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it last got a token for you; null if it has none any more."}
    )


class ClientAppsSchema(Schema):
    """The applications that the caller allows something."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "results": [
            {
                "client_id": "5f2b0c1e9d3a4e578c64",
                "name": "Handbook",
                "home_page": "https://handbook.example.com/",
                "scopes": ["openid", "profile", "email"],
                "since": "2026-11-30T09:00:00.000000Z",
                "last_used_at": "2026-11-30T09:30:00.000000Z",
            }
        ]
    }

    results = fields.List(fields.Nested(ClientAppSchema))
