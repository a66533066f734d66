"""The schemas of recent proofs of identity."""

from typing import ClassVar

from marshmallow import Schema, fields

from userapi.http.fields import Password

from .assurance import Level
from .schemas import TokenPairSchema


class ProofSchema(Schema):
    """A proof of the caller's identity."""

    EXAMPLE: ClassVar = {"password": "velvet tram outside 7"}

    password = Password(required=True)


class ProvedSchema(Schema):
    """The tokens of the session, unless they are in cookies, and what they prove."""

    EXAMPLE: ClassVar = {**TokenPairSchema.EXAMPLE, "acr": "aal1", "auth_time": 1795939512}

    access_token = fields.String()
    refresh_token = fields.String()
    token_type = fields.String(metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(metadata={"description": "Seconds until the access token expires."})
    acr = fields.String(required=True, metadata={"enum": [level.value for level in Level]})
    auth_time = fields.Integer(required=True)
