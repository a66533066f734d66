"""The shapes of invitations."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from userapi.http.fields import Language, Line, Name, Paragraph, Timestamp, choice_check, length_check, range_check
from userapi.users.declaration import EXAMPLE_NEW_PROFILE, DeclaredProfile
from userapi.users.field_types import EmailAddress
from userapi.users.fields import USER
from userapi.users.group_models import Group
from userapi.users.schemas import NewUserSchema

from .models import MAX_MESSAGE_LENGTH, State

MAX_PAGE_SIZE = 200
MAX_GROUPS = 100
MAX_GROUP_NAME = Group.__table__.c["name"].type.length  # type: ignore[attr-defined]
STATES = [state.value for state in State]

LANGUAGE = {"description": "The language of the email and of the new user, such as `de`; by default that of the site."}
STATE: dict[str, Any] = {
    "description": "`pending` can be accepted, `expired` could until `expires_at`.",
    "enum": STATES,
}

EXAMPLE_OWN: dict[str, Any] = {
    "id": 12,
    "email": "wren@example.com",
    "state": "pending",
    "language": "en",
    "created_at": "2026-11-30T10:00:00Z",
    "sent_at": "2026-11-30T10:00:00Z",
    "expires_at": "2026-12-07T10:00:00Z",
    "accepted_at": None,
    "revoked_at": None,
}
EXAMPLE = {
    "url": "https://accounts.example.com/userapi/invitations/12/",
    **EXAMPLE_OWN,
    "inviter_id": 7,
    "groups": ["Support"],
    "first_name": "Wren",
    "last_name": "",
    "profile": None,
    "message": "See you on Monday!",
    "user_id": None,
}


def _moment(description: str, **options: Any) -> Timestamp:
    return Timestamp(required=True, metadata={"description": description}, **options)


class OwnInvitationSchema(Schema):
    """An invitation that the caller has sent."""

    EXAMPLE: ClassVar = EXAMPLE_OWN

    id = fields.Integer(required=True, metadata={"description": "The id of the invitation."})
    email = fields.String(required=True, metadata={"format": "email", "description": "Who was invited, as typed."})
    state = fields.String(required=True, metadata=STATE)
    language = fields.String(required=True, allow_none=True, metadata=LANGUAGE)
    created_at = _moment("When it was sent first.")
    sent_at = _moment("When its present link was sent.")
    expires_at = _moment("Until when it can be accepted.")
    accepted_at = _moment("When it was accepted.", allow_none=True)
    revoked_at = _moment("When it was revoked.", allow_none=True)


class OwnInvitationsSchema(Schema):
    """The invitations that the caller has sent."""

    EXAMPLE: ClassVar = {"results": [EXAMPLE_OWN], "left": 4}

    results = fields.List(fields.Nested(OwnInvitationSchema), required=True)
    left = fields.Integer(required=True, metadata={"description": "How many more you may send."})


class NewOwnInvitationSchema(Schema):
    """Someone to invite."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"email": "wren@example.com", "language": "en"}

    email = EmailAddress(required=True)
    language = Language(allow_none=True, metadata=LANGUAGE)


class InvitationSchema(OwnInvitationSchema):
    """An invitation."""

    EXAMPLE: ClassVar = EXAMPLE

    url = fields.String(required=True, metadata={"format": "uri", "description": "The URL of the invitation."})
    inviter_id = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "The user who sent it; null for the command line, and once that user is deleted."},
    )
    groups = fields.List(
        fields.String(), required=True, metadata={"description": "The names of the groups that the new user joins."}
    )
    first_name = fields.String(required=True)
    last_name = fields.String(required=True)
    profile = fields.Dict(
        required=True, allow_none=True, metadata={"description": "Fields of the profile that the new user gets."}
    )
    message = fields.String(
        required=True, allow_none=True, metadata={"description": "What the inviter wrote to the recipient."}
    )
    user_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "The user who has accepted the invitation."}
    )


class InvitationPageSchema(Schema):
    """A page of invitations."""

    EXAMPLE: ClassVar = {"next": None, "results": [EXAMPLE]}

    next = fields.String(required=True, allow_none=True, metadata={"format": "uri"})
    results = fields.List(fields.Nested(InvitationSchema), required=True)


class NewInvitationSchema(NewOwnInvitationSchema):
    """Someone to invite, and what they get."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "email": "wren@example.com",
        "first_name": "Wren",
        "groups": ["Support"],
        "message": "See you on Monday!",
        "language": "en",
    }

    message = Paragraph(
        MAX_MESSAGE_LENGTH,
        allow_none=True,
        metadata={"description": "What you write to the recipient, in the email. It can have several lines."},
    )
    groups = fields.List(
        Line(MAX_GROUP_NAME, 1),
        validate=length_check(maximum=MAX_GROUPS),
        metadata={
            "description": "The names of groups that the new user joins. You need the permission `change_user` and "
            "every permission of these groups, now and when the invitation is accepted."
        },
    )
    first_name = Name(USER["first_name"].max_length)
    last_name = Name(USER["last_name"].max_length)
    profile = DeclaredProfile("profile_edit", allow_none=True)


class InvitationListSchema(Schema):
    """Which invitations to list."""

    limit = fields.Integer(
        load_default=50,
        validate=range_check(1, MAX_PAGE_SIZE),
        metadata={"description": "The maximum number of invitations on a page."},
    )
    cursor = fields.String(
        validate=length_check(maximum=2000), metadata={"description": "The cursor from the URL in `next`."}
    )
    state = fields.String(validate=choice_check(STATES), metadata={"description": "Only those in this state."})


class AcceptanceSchema(NewUserSchema):
    """An accepted invitation: its token, and what a registration has besides the email."""

    EXAMPLE: ClassVar = {
        "token": "mJ3v0hT1rYw8qKx2c9nB4sLd7fGz6pEu5aVtRiWoQyM",
        "password": "velvet tram outside 7",
        "profile": EXAMPLE_NEW_PROFILE,
        "first_name": "Wren",
        "last_name": "Okafor",
    }

    token = fields.String(
        required=True, validate=length_check(1, 100), metadata={"description": "The last part of the link."}
    )
    profile = DeclaredProfile("profile_edit")

    class Meta(NewUserSchema.Meta):
        exclude: ClassVar[tuple[str, ...]] = ("email",)
