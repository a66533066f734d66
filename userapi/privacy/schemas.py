"""The shapes of requests that close and restore accounts, and of their responses."""

from typing import ClassVar

from marshmallow import Schema

from userapi.auth.schemas import PasswordResetSchema
from userapi.http.fields import Password, Timestamp


class CloseSchema(Schema):
    """The current password, which an account that has one requires."""

    EXAMPLE: ClassVar = {"password": "velvet tram outside 7"}

    password = Password()


class ClosingSchema(Schema):
    """When the account is deleted."""

    EXAMPLE: ClassVar = {"closes_at": "2026-12-14T09:30:00Z"}

    closes_at = Timestamp(required=True, metadata={"description": "When the account and its data are deleted."})


class RestoreSchema(PasswordResetSchema):
    """The token of the link, and the new password twice."""

    EXAMPLE: ClassVar = {
        "token": "from-the-link",
        "new_password1": "copper kettle upstairs 4",
        "new_password2": "copper kettle upstairs 4",
    }

    class Meta:
        """Without the part of a link that names the account."""

        exclude = ("uid",)
