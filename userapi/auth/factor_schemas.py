"""The schemas of second factors: one for requests, another for responses."""

from typing import Any, ClassVar

from marshmallow import Schema, fields

from userapi.http.fields import Flag, Line, Name, Timestamp
from userapi.mfa.codes import MAX_TYPED_LENGTH
from userapi.mfa.models import MAX_NAME_LENGTH

PASSKEY_ID = "2d9c6e1a-7b3f-4c58-8e0d-9a4b6c7d5e12"
APP_ID = "7c1f3e58-2a4b-4d6f-9b0a-5e8d7c6b4a32"
EXAMPLE_CODES = ["7k3m-92xq-hd5r-w8tn", "b4fz-61vp-0c9j-yg3s"]
EXAMPLE_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105

OWN_NAME: dict[str, Any] = {"description": "What you call it, such as `Phone`."}


class SecondStepSwitchSchema(Schema):
    """Whether a sign-in needs a second step."""

    EXAMPLE: ClassVar = {"second_step": False}

    second_step = Flag(required=True, metadata={"description": "Whether a sign-in needs a second step."})


class NewAppSchema(Schema):
    """An authenticator app to add."""

    EXAMPLE: ClassVar = {"name": "Phone"}

    name = Name(MAX_NAME_LENGTH, trim=True, load_default="", metadata=OWN_NAME)


class FactorNameSchema(Schema):
    """The name of a factor."""

    EXAMPLE: ClassVar = {"name": "Phone"}

    name = Name(MAX_NAME_LENGTH, 1, trim=True, required=True, metadata=OWN_NAME)


class CodeSchema(Schema):
    """The code that an authenticator app shows."""

    EXAMPLE: ClassVar = {"code": "492039"}

    code = Line(
        MAX_TYPED_LENGTH,
        1,
        trim=True,
        required=True,
        metadata={"description": "Six digits, as text. Spaces and hyphens do not matter."},
    )


class AddedAppSchema(Schema):
    """An authenticator app that has to be confirmed, with its secret, which is shown only this once."""

    EXAMPLE: ClassVar = {
        "id": APP_ID,
        "secret": EXAMPLE_SECRET,
        "uri": f"otpauth://totp/accounts.example.com:wren%40example.com?secret={EXAMPLE_SECRET}"
        "&issuer=accounts.example.com",
        "qr": "data:image/svg+xml;charset=utf-8,%3Csvg%2F%3E",
    }

    id = fields.UUID(required=True, metadata={"description": "The id of the app."})
    secret = fields.String(required=True, metadata={"description": "The secret in base32, for typing."})
    uri = fields.String(required=True, metadata={"description": "The secret as an `otpauth:` URI, for a QR code."})
    qr = fields.String(required=True, metadata={"description": "That QR code, as a `data:` URL of an SVG."})


class AppSchema(Schema):
    """An authenticator app."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": APP_ID,
        "name": "Phone",
        "created_at": "2026-11-29T08:05:12.482913Z",
        "last_used_at": "2026-11-29T08:05:40.190372Z",
    }

    id = fields.UUID(required=True, metadata={"description": "The id of the app."})
    name = fields.String(required=True, metadata=OWN_NAME)
    created_at = Timestamp(required=True, metadata={"description": "When it was added."})
    last_used_at = Timestamp(required=True, allow_none=True, metadata={"description": "When a code was last accepted."})


class AddedFactorSchema(Schema):
    """What comes with a new factor: recovery codes if the account had none, and new tokens for some sessions."""

    recovery_codes = fields.List(fields.String(), metadata={"description": "New recovery codes, shown only this once."})
    access_token = fields.String(
        metadata={"description": "A new token, if the session could only set up a second step before."}
    )
    refresh_token = fields.String(metadata={"description": "Comes with it. Earlier refresh tokens no longer work."})
    token_type = fields.String(metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(metadata={"description": "Seconds until the access token expires."})


class ConfirmedAppSchema(AppSchema, AddedFactorSchema):
    """An authenticator app that was confirmed."""

    EXAMPLE: ClassVar[dict[str, Any]] = {**AppSchema.EXAMPLE, "recovery_codes": EXAMPLE_CODES}


class RecoveryCodesSchema(Schema):
    """New recovery codes."""

    EXAMPLE: ClassVar = {"codes": EXAMPLE_CODES}

    codes = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The recovery codes, shown only this once. Each of them works once, in any order."},
    )


class CodesLeftSchema(Schema):
    """The recovery codes of an account, without the codes."""

    left = fields.Integer(required=True, metadata={"description": "The number of codes that were not used."})
    made_at = Timestamp(required=True, metadata={"description": "When the codes were created."})


class PasskeySchema(Schema):
    """A passkey."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": PASSKEY_ID,
        "name": "Laptop",
        "created_at": "2026-11-29T08:05:12.482913Z",
        "last_used_at": "2026-11-29T08:21:40.190372Z",
        "signs_in_alone": True,
        "is_synced": True,
        "transports": ["hybrid", "internal"],
        "credential_id": "bDMaVvTnOe8",
    }

    id = fields.UUID(required=True, metadata={"description": "The id of the passkey."})
    name = fields.String(required=True, metadata={"description": "What you call it."})
    created_at = Timestamp(required=True, metadata={"description": "When it was added."})
    last_used_at = Timestamp(required=True, allow_none=True, metadata={"description": "When it was last used."})
    signs_in_alone = fields.Boolean(
        required=True, metadata={"description": "Whether it signs in without a password, with a PIN or biometrics."}
    )
    is_synced = fields.Boolean(
        required=True, metadata={"description": "Whether a password manager had a copy when it was last used."}
    )
    transports = fields.List(
        fields.String(), required=True, metadata={"description": "How a browser reaches it, as WebAuthn names it."}
    )
    credential_id = fields.String(
        required=True, metadata={"description": "Its ID in browsers, for `signalAllAcceptedCredentials()`."}
    )


class FactorsSchema(Schema):
    """The second factors of the caller."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "second_step": True,
        "required": False,
        "totp": [AppSchema.EXAMPLE],
        "passkeys": [PasskeySchema.EXAMPLE],
        "user_handle": "4fUPkQvK",
        "recovery_codes": {"left": 10, "made_at": "2026-11-29T08:05:12.482913Z"},
        "devices": 1,
    }

    second_step = fields.Boolean(required=True, metadata={"description": "Whether a sign-in needs a second step."})
    required = fields.Boolean(required=True, metadata={"description": "Whether the account must have a second factor."})
    totp = fields.List(fields.Nested(AppSchema), required=True, metadata={"description": "The authenticator apps."})
    passkeys = fields.List(fields.Nested(PasskeySchema), required=True, metadata={"description": "The passkeys."})
    user_handle = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "By which passkeys name the account, for `signalAllAcceptedCredentials()`."},
    )
    recovery_codes = fields.Nested(
        CodesLeftSchema, required=True, allow_none=True, metadata={"description": "Null if there are none."}
    )
    devices = fields.Integer(required=True, metadata={"description": "The number of remembered devices."})


class RemovalQuerySchema(Schema):
    """Whether other sessions end."""

    keep_sessions = Flag(
        load_default=False, metadata={"description": "Whether your other sessions continue. Otherwise they end."}
    )


class DeviceSchema(Schema):
    """A remembered device."""

    id = fields.UUID(required=True, metadata={"description": "The id of the device."})
    address = fields.String(
        allow_none=True, required=True, metadata={"description": "The IP address from which it was remembered."}
    )
    user_agent = fields.String(allow_none=True, required=True)
    created_at = Timestamp(required=True, metadata={"description": "Since when it has been remembered."})
    last_used_at = Timestamp(required=True, metadata={"description": "When it last signed in without a second step."})
    expires_at = Timestamp(required=True, metadata={"description": "When it will be forgotten."})


class DevicesSchema(Schema):
    """The remembered devices of the caller."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "results": [
            {
                "id": "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35",
                "address": "203.0.113.7",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "created_at": "2026-11-29T08:05:12.482913Z",
                "last_used_at": "2026-11-29T08:21:40.190372Z",
                "expires_at": "2026-12-29T08:05:12.482913Z",
            }
        ]
    }

    results = fields.List(fields.Nested(DeviceSchema), required=True)
