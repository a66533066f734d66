"""The schemas of passkeys. `credential` is what a browser makes of one, and `publicKey` what it needs for that."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from userapi.http.fields import Flag, Name
from userapi.mfa.passkey_models import MAX_NAME_LENGTH

from .factor_schemas import EXAMPLE_CODES, AddedFactorSchema, PasskeySchema

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

EXAMPLE_REGISTRATION: dict[str, Any] = {
    "id": "bDMaVvTnOe8",
    "rawId": "bDMaVvTnOe8",
    "type": "public-key",
    "response": {
        "clientDataJSON": "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIn0",
        "attestationObject": "o2NmbXRkbm9uZQ",
        "transports": ["hybrid", "internal"],
    },
    "clientExtensionResults": {"credProps": {"rk": True}},
}

EXAMPLE_REQUEST: dict[str, Any] = {
    "challenge": "oX0mCqkfBv0Kx2r1Ue6q",
    "timeout": 300000,
    "rpId": "accounts.example.com",
    "allowCredentials": [],
    "userVerification": "required",
}


def credential_field(ceremony: str, *, required: bool = True) -> fields.Dict:
    """A field for a credential as JSON.

    Args:
        ceremony: the name of its type in WebAuthn Level 3, section 5.1.
        required: whether it has to be sent.
    """
    return fields.Dict(
        required=required,
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


class NewPasskeySchema(Schema):
    """A passkey to add."""

    EXAMPLE: ClassVar = {"credential": EXAMPLE_REGISTRATION, "name": "Laptop"}

    credential = credential_field("RegistrationResponseJSON")
    name = Name(
        MAX_NAME_LENGTH,
        trim=True,
        load_default="",
        metadata={"description": "What you call it, such as `Laptop`. Otherwise it is named after the browser."},
    )


class AddedPasskeySchema(PasskeySchema, AddedFactorSchema):
    """A passkey that was added."""

    EXAMPLE: ClassVar[dict[str, Any]] = {**PasskeySchema.EXAMPLE, "recovery_codes": EXAMPLE_CODES}


class PasskeyEndpointsSchema(Schema):
    """The pages for passkeys."""

    EXAMPLE: ClassVar = {
        "enroll": "https://accounts.example.com/account/security/#passkeys",
        "manage": "https://accounts.example.com/account/security/#passkeys",
    }

    enroll = fields.String(
        required=True, metadata={"format": "uri", "description": "The page on which users add a passkey."}
    )
    manage = fields.String(
        required=True, metadata={"format": "uri", "description": "The page on which users rename and remove passkeys."}
    )


class RelatedOriginsSchema(Schema):
    """The sites whose pages may use the passkeys of this host."""

    EXAMPLE: ClassVar = {"origins": ["https://accounts.example.com", "https://shop.example.com"]}

    origins = fields.List(
        fields.String(metadata={"format": "uri"}), required=True, metadata={"description": "With scheme and port."}
    )
