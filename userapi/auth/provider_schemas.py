"""The schemas of sign-in with providers, and of the identities that are linked to an account."""

from typing import Any, ClassVar

from flask_babel import lazy_gettext
from marshmallow import Schema, fields, validate

from userapi.http.fields import Flag, Line, Password, Timestamp, length_check
from userapi.users.schemas import NewUserWithoutPasswordSchema, UserSchema

from .schemas import MAX_CODE_LENGTH, MAX_DEVICE_TOKEN_LENGTH, LoginAnswerSchema

#: The maximum lengths of a ticket, of an ID token and of a URL.
MAX_TICKET, MAX_ID_TOKEN, MAX_URL = 200, 8192, 1000

EXAMPLE_TICKET = "kK0mB0yq6bJ0s6P0o1J3T7b4yq1c5o2Xv9a8d7e6f5g"
EXAMPLE_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
EXAMPLE_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def _characters(pattern: str, minimum: int, maximum: int) -> list[Any]:
    return [
        length_check(minimum, maximum),
        validate.Regexp(pattern, error=lazy_gettext("Only A-Z, a-z, 0-9 and the characters - . _ ~ are allowed.")),
    ]


def _cookies() -> Flag:
    return Flag(
        load_default=False,
        metadata={"description": "Whether to set the tokens as HttpOnly cookies instead of returning them."},
    )


def _device_token() -> Line:
    return Line(
        MAX_DEVICE_TOKEN_LENGTH,
        1,
        metadata={"description": "The token of a device that needs no second step.", "x-set-by": "programs"},
    )


def _code_verifier() -> fields.String:
    return fields.String(
        required=True,
        validate=_characters(r"^[A-Za-z0-9._~-]+$", 43, 128),
        metadata={"description": "The secret whose challenge you sent at the start (RFC 7636)."},
    )


class ProviderSchema(Schema):
    """A provider to sign in with."""

    id = fields.String(required=True, metadata={"description": "The id of the provider in the settings."})
    name = fields.String(required=True, metadata={"description": "What users call it."})
    start_url = fields.String(
        required=True,
        metadata={
            "format": "uri",
            "description": "Send a browser there, with `return_to`, `code_challenge` (S256) and `state`.",
        },
    )


class ProvidersSchema(Schema):
    """The providers, in the order in which to show them."""

    EXAMPLE: ClassVar = {
        "results": [
            {"id": "google", "name": "Google", "start_url": "https://accounts.example.com/auth/start/google/"},
        ]
    }

    results = fields.List(fields.Nested(ProviderSchema), required=True)


class RedemptionSchema(Schema):
    """The code with which a browser came back, and the secret of the app that sent it."""

    EXAMPLE: ClassVar = {"code": EXAMPLE_TICKET, "code_verifier": EXAMPLE_VERIFIER}

    code = Line(
        MAX_TICKET, 1, required=True, metadata={"description": "The code in the URL. It is valid for a minute."}
    )
    code_verifier = _code_verifier()
    device_token = _device_token()
    cookies = _cookies()


class OutcomeSchema(LoginAnswerSchema):
    """A sign-in, or a ticket for what comes first."""

    EXAMPLE: ClassVar = {
        "outcome": "registration",
        "ticket": EXAMPLE_TICKET,
        "email": "wren@example.com",
        "email_confirmed": True,
        "first_name": "Wren",
        "last_name": "Okafor",
    }

    outcome = fields.String(
        required=True,
        metadata={
            "enum": ["signed_in", "registration", "proof"],
            "description": "`registration`: no account has this identity; send the rest to `providers/register/`. "
            "`proof`: an account has its email; prove that it is the user's with `providers/prove/`.",
        },
    )
    user = fields.Nested(UserSchema)
    ticket = fields.String(metadata={"description": "Single-use, and valid for 15 minutes."})
    email = fields.String(allow_none=True, metadata={"description": "The email that the provider names."})
    email_confirmed = fields.Boolean(metadata={"description": "Whether this email counts as confirmed if it is kept."})
    first_name = fields.String(metadata={"description": "To fill in the form with."})
    last_name = fields.String(metadata={"description": "To fill in the form with."})
    email_hint = fields.String(metadata={"description": "The email of the account, mostly hidden."})
    ways = fields.List(
        fields.String(metadata={"enum": ["password", "mailed_code"]}),
        metadata={"description": "What proves the account."},
    )


class ProviderRegistrationSchema(NewUserWithoutPasswordSchema):
    """The ticket of an identity, and its new account."""

    EXAMPLE: ClassVar = {"ticket": EXAMPLE_TICKET, **NewUserWithoutPasswordSchema.EXAMPLE}

    ticket = Line(MAX_TICKET, 1, required=True, metadata={"description": "From the outcome `registration`."})
    cookies = _cookies()


class AccountProofSchema(Schema):
    """The ticket of an identity, and a proof of the account that has its email."""

    EXAMPLE: ClassVar = {"ticket": EXAMPLE_TICKET, "password": "velvet tram outside 7"}

    ticket = Line(MAX_TICKET, 1, required=True, metadata={"description": "From the outcome `proof`."})
    password = Password(metadata={"description": "The password of the account."})
    challenge = Line(
        100,
        1,
        metadata={
            "description": "Of a code by email: `POST /userapi/auth/code/` with the purpose `claim` and the ticket."
        },
    )
    code = Line(
        MAX_CODE_LENGTH,
        1,
        metadata={"description": "The code from the email; with a password, the code of the second step, if it is on."},
    )
    device_token = _device_token()
    cookies = _cookies()


class NonceSchema(Schema):
    """A nonce for one ID token."""

    EXAMPLE: ClassVar = {"nonce": EXAMPLE_TICKET, "expires_in": 600}

    nonce = fields.String(
        required=True,
        metadata={"description": "Pass it to the SDK of the provider, as it is or as its SHA-256 in hexadecimal."},
    )
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds until it expires."})


class IdTokenSchema(Schema):
    """An ID token that an app got from a provider."""

    EXAMPLE: ClassVar = {"id_token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI3In0.MEUCIQDk", "nonce": EXAMPLE_TICKET}

    id_token = Line(MAX_ID_TOKEN, 1, required=True, metadata={"description": "As the SDK returned it."})
    nonce = Line(MAX_TICKET, 1, required=True, metadata={"description": "The nonce for it. It is single-use."})
    access_token = Line(
        MAX_ID_TOKEN, 1, metadata={"description": "The access token of the provider that came with it."}
    )
    first_name = Line(150, metadata={"description": "To fill in the form of a registration with."})
    last_name = Line(150, metadata={"description": "To fill in the form of a registration with."})
    device_token = _device_token()
    cookies = _cookies()


class IdentitySchema(Schema):
    """An identity at a provider that is linked to the account."""

    EXAMPLE: ClassVar = {
        "id": 3,
        "provider": "google",
        "name": "Google",
        "email": "wren@example.com",
        "created_at": "2026-11-29T08:05:12.482913Z",
        "last_used_at": "2026-11-29T08:05:12.482913Z",
        "can_unlink": True,
    }

    id = fields.Integer(required=True, metadata={"description": "The id of the identity."})
    provider = fields.String(required=True, metadata={"description": "The id of the provider in the settings."})
    name = fields.String(required=True, metadata={"description": "What users call the provider."})
    email = fields.String(
        required=True, allow_none=True, metadata={"description": "What the provider said at the last sign-in."}
    )
    created_at = Timestamp(required=True, metadata={"description": "When it was linked."})
    last_used_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When it last signed in, to within a day."}
    )
    can_unlink = fields.Boolean(required=True, metadata={"description": "Whether another way to sign in is left."})


class IdentitiesSchema(Schema):
    """The identities of the caller."""

    EXAMPLE: ClassVar = {"results": [IdentitySchema.EXAMPLE]}

    results = fields.List(fields.Nested(IdentitySchema), required=True)


class LinkSchema(Schema):
    """The provider to link, and the app that finishes the link."""

    EXAMPLE: ClassVar = {
        "provider": "google",
        "return_to": "https://app.example.com/linked",
        "code_challenge": EXAMPLE_CHALLENGE,
    }

    provider = Line(40, 1, required=True, metadata={"description": "The id of the provider in the settings."})
    return_to = Line(MAX_URL, 1, required=True, metadata={"description": "One of `PROVIDER_RETURN_URLS`."})
    code_challenge = fields.String(
        required=True,
        validate=_characters(r"^[A-Za-z0-9_-]+$", 43, 43),
        metadata={"description": "The digest of your `code_verifier` (RFC 7636, S256)."},
    )
    state = Line(500, load_default="", metadata={"description": "What you get back with the browser."})


class LinkStartedSchema(Schema):
    """Where the browser goes."""

    EXAMPLE: ClassVar = {"start_url": f"https://accounts.example.com/auth/start/google/?visit={EXAMPLE_TICKET}"}

    start_url = fields.String(
        required=True,
        metadata={"format": "uri", "description": "Send your user's browser there. It is single-use, for 10 minutes."},
    )


class LinkConfirmationSchema(Schema):
    """The code with which the browser came back, and the secret of the app."""

    EXAMPLE: ClassVar = {"code": EXAMPLE_TICKET, "code_verifier": EXAMPLE_VERIFIER}

    code = Line(
        MAX_TICKET, 1, required=True, metadata={"description": "The code in the URL. It is valid for a minute."}
    )
    code_verifier = _code_verifier()
