"""The schemas of the second step of a sign-in."""

from typing import Any, ClassVar

from flask_babel import gettext as _
from marshmallow import Schema, ValidationError, validates_schema

from userapi.http.fields import Flag, Line

from .passkey_schemas import credential_field
from .schemas import MAX_CODE_LENGTH, MAX_MFA_TOKEN_LENGTH


class MfaTokenSchema(Schema):
    """A sign-in that waits for its second step."""

    EXAMPLE: ClassVar = {"mfa_token": "from-the-first-step"}

    mfa_token = Line(
        MAX_MFA_TOKEN_LENGTH, 1, required=True, metadata={"description": "From the response to the first step."}
    )


class SecondStepSchema(MfaTokenSchema):
    """The second step of a sign-in: a code or a passkey."""

    EXAMPLE: ClassVar = {"mfa_token": "from-the-first-step", "code": "492039"}

    code = Line(
        MAX_CODE_LENGTH, 1, metadata={"description": "The code that the authenticator app shows, or a recovery code."}
    )
    credential = credential_field("AuthenticationResponseJSON", required=False)
    remember_device = Flag(
        load_default=False,
        metadata={
            "description": "Whether the next sign-ins on this device need no second step. Ignored with a recovery "
            "code, and where a second step is required."
        },
    )
    cookies = Flag(
        load_default=False,
        metadata={"description": "Whether to set the tokens as HttpOnly cookies instead of returning them."},
    )

    @validates_schema(skip_on_field_errors=True)
    def _one_proof(self, data: dict[str, Any], **_options: Any) -> None:
        if ("code" in data) == ("credential" in data):
            raise ValidationError(_("Send either a code or a credential."))
