"""What requests contain and responses describe."""

from marshmallow import Schema, fields, validate

from userapi.extending import Line

from .models import Role

ROLES = [role.value for role in Role]


class OrganisationInputSchema(Schema):
    """A name for an organisation."""

    EXAMPLE = {"name": "Example Ltd"}

    name = Line(100, 1, directing=False, trim=True, required=True, metadata={"description": "Its name."})


class OrganisationSchema(Schema):
    """An organisation, and the caller's role in it."""

    EXAMPLE = {"id": 7, "name": "Example Ltd", "role": "owner"}

    id = fields.Integer(metadata={"description": "The id of the organisation."})
    name = fields.String(metadata={"description": "Its name."})
    role = fields.String(metadata={"description": "Your role in it.", "enum": ROLES})


class RoleSchema(Schema):
    """A role."""

    EXAMPLE = {"role": "admin"}

    role = fields.String(required=True, validate=validate.OneOf(ROLES), metadata={"description": "The role."})


class MemberSchema(Schema):
    """A member."""

    EXAMPLE = {
        "user_id": 18,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
        "role": "member",
    }

    user_id = fields.Integer(metadata={"description": "The id of the user."})
    first_name = fields.String(metadata={"description": "The first name."})
    last_name = fields.String(metadata={"description": "The last name."})
    email = fields.String(metadata={"description": "The email address."})
    role = fields.String(metadata={"description": "The role.", "enum": ROLES})


class InvitationInputSchema(Schema):
    """Who is invited."""

    EXAMPLE = {"email": "grace@example.com", "role": "member"}

    email = Line(254, 1, required=True, metadata={"description": "Where to send it."})
    role = fields.String(
        load_default=Role.MEMBER.value,
        validate=validate.OneOf(ROLES),
        metadata={"description": "The role of the member."},
    )


class InvitationSchema(Schema):
    """An open invitation."""

    EXAMPLE = {"id": 3, "email": "grace@example.com", "role": "member", "expires_at": "2026-12-07T09:00:00Z"}

    id = fields.Integer(metadata={"description": "The id of the invitation."})
    email = fields.String(metadata={"description": "Where it was sent."})
    role = fields.String(metadata={"description": "The role of the member.", "enum": ROLES})
    expires_at = fields.DateTime(metadata={"description": "When the link expires."})


class TokenSchema(Schema):
    """The token of a link."""

    EXAMPLE = {"token": "4pZ…"}

    token = Line(100, 1, required=True, metadata={"description": "The last part of the link in the email."})
