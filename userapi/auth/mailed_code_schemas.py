"""The schemas of codes by email."""

from typing import Any, ClassVar

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from userapi.http.fields import Flag, Line, choice_check, length_check
from userapi.users.field_types import EmailAddress

from .schemas import MAX_CODE_LENGTH, MAX_DEVICE_TOKEN_LENGTH

EXAMPLE_CHALLENGE = "0d1f3a52-8f0e-4c55-9d7b-2f1f0c3f5a11"

#: The length of a SHA-256 digest in base64url.
CHALLENGE_LENGTH = 43

#: What identifies a request, a link, and the program that made the request.
EVIDENCE = ("challenge", "token", "code", "code_verifier")

#: The combinations of these that sign in.
SUFFICIENT = ({"challenge", "code"}, {"token", "code"}, {"token", "code_verifier"})


class CodeRequestSchema(Schema):
    """Who gets a code, and what for."""

    EXAMPLE: ClassVar = {"email": "wren@example.com"}

    email = EmailAddress()
    purpose = fields.String(
        load_default="sign_in",
        validate=choice_check(["sign_in", "prove", "claim"]),
        metadata={
            "description": "`prove` sends a code to your own email, for `POST /userapi/auth/prove/`; `claim` to the "
            "account that a ticket is about, for `POST /userapi/auth/providers/prove/`."
        },
    )
    ticket = Line(200, 1, metadata={"description": "From a sign-in with a provider.", "x-set-by": "programs"})
    code_challenge = fields.String(
        validate=[
            length_check(CHALLENGE_LENGTH, CHALLENGE_LENGTH),
            validate.Regexp(r"^[A-Za-z0-9_-]+$", error=lazy_gettext("Only A-Z, a-z, 0-9, - and _ are allowed.")),
        ],
        metadata={
            "description": "With the matching `code_verifier`, the link in the email signs in without the code "
            "(RFC 7636, S256).",
            "x-set-by": "programs",
        },
    )

    @validates_schema(skip_on_field_errors=True)
    def _email_to_sign_in(self, data: dict[str, Any], **_options: Any) -> None:
        if data["purpose"] == "sign_in" and "email" not in data:
            raise ValidationError(_("Missing data for required field."), "email")
        if data["purpose"] == "claim" and "ticket" not in data:
            raise ValidationError(_("Missing data for required field."), "ticket")


class CodeRequestedSchema(Schema):
    """A request for a code."""

    EXAMPLE: ClassVar = {"challenge": EXAMPLE_CHALLENGE, "expires_in": 600, "resend_after": 30}

    challenge = fields.String(required=True, metadata={"description": "Send it with the code."})
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds until the code expires."})
    resend_after = fields.Integer(
        required=True, metadata={"description": "Seconds to wait before you offer to send another code."}
    )


class CodeSignInSchema(Schema):
    """A code with its challenge, or the token of a link with the code or the verifier; and where the tokens go."""

    EXAMPLE: ClassVar = {"challenge": EXAMPLE_CHALLENGE, "code": "0123 4567"}

    challenge = Line(100, 1, metadata={"description": "From the response to the request for the code."})
    code = Line(
        MAX_CODE_LENGTH,
        1,
        metadata={"description": "As typed: spaces and hyphens do not matter, digits of any script count."},
    )
    token = Line(200, 1, metadata={"description": "The last part of the link.", "x-set-by": "programs"})
    code_verifier = Line(
        128, 1, metadata={"description": "The secret whose digest was `code_challenge`.", "x-set-by": "programs"}
    )
    device_token = Line(
        MAX_DEVICE_TOKEN_LENGTH,
        1,
        metadata={"description": "The token of a device that needs no second step.", "x-set-by": "programs"},
    )
    cookies = Flag(
        load_default=False,
        metadata={"description": "Whether to set the tokens as HttpOnly cookies instead of returning them."},
    )

    @validates_schema(skip_on_field_errors=True)
    def _sufficient_evidence(self, data: dict[str, Any], **_options: Any) -> None:
        if data.keys() & set(EVIDENCE) not in SUFFICIENT:
            raise ValidationError(_("Send challenge and code, or token and either code or code_verifier."))
