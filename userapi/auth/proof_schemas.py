"""The schemas of recent proofs of identity."""

from typing import Any, ClassVar

from flask_babel import gettext as _
from marshmallow import Schema, ValidationError, fields, validates_schema

from userapi.http.fields import Line, Password

from .assurance import Level
from .passkey_schemas import credential_field
from .schemas import MAX_CODE_LENGTH, TokenPairSchema


class ProofSchema(Schema):
    """A proof of the caller's identity: exactly one of them."""

    EXAMPLE: ClassVar = {"password": "velvet tram outside 7"}

    password = Password(
        metadata={"description": "The password exactly as entered. It is enough if the account needs no second step."}
    )
    code = Line(
        MAX_CODE_LENGTH,
        1,
        metadata={"description": "A code of an authenticator app or a recovery code; with `challenge`, from an email."},
    )
    challenge = Line(
        100,
        1,
        metadata={
            "description": "From the response of `POST /userapi/auth/code/`, for accounts without a password.",
            "x-set-by": "programs",
        },
    )

    credential = credential_field("AuthenticationResponseJSON", required=False)

    @validates_schema(skip_on_field_errors=True)
    def _one_proof(self, data: dict[str, Any], **_options: Any) -> None:
        if len(data.keys() & {"password", "code", "credential"}) != 1:
            raise ValidationError(_("Send exactly one of password, code and credential."))
        if "challenge" in data and "code" not in data:
            raise ValidationError(_("Missing data for required field."), "code")


class ProvedSchema(Schema):
    """The tokens of the session, unless they are in cookies, and what they prove."""

    EXAMPLE: ClassVar = {**TokenPairSchema.EXAMPLE, "acr": "aal1", "auth_time": 1795939512}

    access_token = fields.String()
    refresh_token = fields.String()
    token_type = fields.String(metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(metadata={"description": "Seconds until the access token expires."})
    acr = fields.String(required=True, metadata={"enum": [level.value for level in Level]})
    auth_time = fields.Integer(required=True)
