"""The schemas of service accounts: one for requests, another for responses."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from userapi.http.fields import Line, Timestamp
from userapi.users.service_accounts import MAX_NAME_LENGTH

NAME: dict[str, Any] = {"description": "Characters a–z, digits and hyphens, such as `nightly-report`."}

EXAMPLE_ACCOUNT = {
    "url": "https://accounts.example.com/userapi/service-accounts/12/",
    "id": 12,
    "name": "nightly-report",
    "email": "nightly-report@service.invalid",
    "is_active": True,
    "is_staff": False,
    "created_at": "2026-11-30T10:00:00Z",
}


class NewServiceAccountSchema(Schema):
    """A service account to create."""

    EXAMPLE: ClassVar = {"name": "nightly-report"}

    name = Line(MAX_NAME_LENGTH, 1, required=True, metadata=NAME)


class ServiceAccountSchema(Schema):
    """A service account."""

    EXAMPLE: ClassVar = EXAMPLE_ACCOUNT

    url = fields.String(required=True, metadata={"format": "uri", "description": "The URL of the service account."})
    id = fields.Integer(required=True, metadata={"description": "The id of the account, which is also that of a user."})
    name = fields.String(required=True, metadata=NAME)
    email = fields.String(
        required=True, metadata={"description": "Names the account in lists and events; it never gets an email."}
    )
    is_active = fields.Boolean(required=True, metadata={"description": "Whether its API keys work."})
    is_staff = fields.Boolean(
        required=True,
        metadata={"description": "Whether the permissions of its groups apply. Set it at `/userapi/users/{user_id}/`."},
    )
    created_at = Timestamp(required=True, metadata={"description": "When it was created."})


class ServiceAccountsSchema(Schema):
    """All service accounts."""

    EXAMPLE: ClassVar = {"results": [EXAMPLE_ACCOUNT]}

    results = fields.List(fields.Nested(ServiceAccountSchema), required=True)
