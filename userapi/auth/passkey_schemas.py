"""The schemas of passkeys. `credential` is what a browser makes of one, and `publicKey` what it needs for that."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from userapi.http.fields import Flag

#: What `PublicKeyCredential.toJSON()` returns, shortened.
EXAMPLE_ASSERTION: dict[str, Any] = {
    "id": "bDMaVvTnOe8",
    "rawId": "bDMaVvTnOe8",
    "type": "public-key",
    "response": {
        "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0",
        "authenticatorData": "SZYN5YgOjGh0NBcP",
        "signature": "MEUCIQDk",
        "userHandle": "4fUPkQvK",
    },
    "clientExtensionResults": {},
}

EXAMPLE_REQUEST: dict[str, Any] = {
    "challenge": "oX0mCqkfBv0Kx2r1Ue6q",
    "timeout": 300000,
    "rpId": "accounts.example.com",
    "allowCredentials": [],
    "userVerification": "required",
}


def credential_field(ceremony: str) -> fields.Dict:
    """A field for a credential as JSON.

    Args:
        ceremony: the name of its type in WebAuthn Level 3, section 5.1.
    """
    return fields.Dict(
        required=True,
        metadata={"description": f"`{ceremony}`: what `PublicKeyCredential.toJSON()` returns.", "x-set-by": "programs"},
    )


class NothingSchema(Schema):
    """A body without fields."""

    EXAMPLE: ClassVar[dict[str, Any]] = {}


class PasskeyOptionsSchema(Schema):
    """What a browser needs to use or to create a passkey."""

    EXAMPLE: ClassVar = {"publicKey": EXAMPLE_REQUEST, "expires_in": 300}

    publicKey = fields.Dict(  # noqa: N815 - the name of the member that browsers expect
        required=True,
        metadata={"description": "For `PublicKeyCredential.parseRequestOptionsFromJSON()` or `…CreationOptions…`."},
    )
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds until the challenge expires."})


class PasskeyLoginSchema(Schema):
    """A passkey, and whether the tokens go into cookies."""

    EXAMPLE: ClassVar = {"credential": EXAMPLE_ASSERTION}

    credential = credential_field("AuthenticationResponseJSON")
    cookies = Flag(
        load_default=False,
        metadata={"description": "Whether to set the tokens as HttpOnly cookies instead of returning them."},
    )
