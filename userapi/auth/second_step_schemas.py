"""The schema of the second step of a sign-in."""

from typing import ClassVar

from marshmallow import Schema

from userapi.http.fields import Flag, Line

from .schemas import MAX_CODE_LENGTH, MAX_MFA_TOKEN_LENGTH


class SecondStepSchema(Schema):
    """The second step of a sign-in."""

    EXAMPLE: ClassVar = {"mfa_token": "from-the-first-step", "code": "492039"}

    mfa_token = Line(
        MAX_MFA_TOKEN_LENGTH, 1, required=True, metadata={"description": "From the response to the first step."}
    )
    code = Line(
        MAX_CODE_LENGTH,
        1,
        required=True,
        metadata={"description": "The code that the authenticator app shows, or a recovery code."},
    )
    remember_device = Flag(
        load_default=False,
        metadata={
            "description": "Whether the next sign-ins on this device need no second step. Ignored with a recovery code."
        },
    )
    cookies = Flag(
        load_default=False,
        metadata={"description": "Whether to set the tokens as HttpOnly cookies instead of returning them."},
    )
