"""The schemas of sign-in, tokens, passwords and sessions: one for requests, another for responses."""

from typing import Any, ClassVar

from flask_babel import gettext as _
from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema

from userapi.http.fields import Flag, Line, NewPassword, Password, Timestamp, choice_check, length_check
from userapi.users import password_policy
from userapi.users.email_address import MAX_LENGTH
from userapi.users.field_types import EmailAddress
from userapi.users.schemas import UserSchema

from .assurance import Level
from .caller import find_caller

#: The maximum lengths of what a second step is done with.
MAX_CODE_LENGTH = 100
MAX_MFA_TOKEN_LENGTH = 100
MAX_DEVICE_TOKEN_LENGTH = 100
MAX_API_KEY_LENGTH = 100

#: Three parts, as every token has; it is none.
EXAMPLE_JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI3In0.MEUCIQDk"


class SignInSchema(Schema):
    """An email, under its own name or as `username`, and a password."""

    EXAMPLE: ClassVar = {"email": "wren@example.com", "password": "velvet tram outside 7"}

    email = Line(MAX_LENGTH, 1, trim=True, metadata={"format": "email"})
    username = Line(
        MAX_LENGTH,
        1,
        trim=True,
        metadata={"description": "The email, for older clients that send it under this name."},
    )
    password = Password(required=True)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _one_email(self, data: dict[str, Any], sent: dict[str, Any], **_options: Any) -> None:
        if "email" not in sent and "username" not in sent:
            raise ValidationError(_("Missing data for required field."), "email")
        if data.get("email", data.get("username")) != data.get("username", data.get("email")):
            raise ValidationError(_("Does not match email."), "username")


class TwoStepSignInSchema(SignInSchema):
    """An email and a password, and what the second step can be done with in the same request."""

    code = Line(
        MAX_CODE_LENGTH,
        1,
        metadata={"description": "A code of an authenticator app or a recovery code, if the account needs one."},
    )
    device_token = Line(
        MAX_DEVICE_TOKEN_LENGTH,
        1,
        metadata={"description": "The token of a device that needs no second step.", "x-set-by": "programs"},
    )


class CredentialsSchema(TwoStepSignInSchema):
    """Credentials, as older clients or OAuth 2.0 clients send them (RFC 6749, section 4.3.2)."""

    grant_type = fields.String(
        validate=choice_check(["password"]),
        metadata={"description": "Required by OAuth 2.0 clients; other clients can omit it.", "x-set-by": "programs"},
    )
    scope = Line(
        1000,
        metadata={
            "description": "Accepted from OAuth 2.0 clients and ignored: the tokens of a user have no scopes.",
            "x-set-by": "programs",
        },
    )
    api_key = Line(
        MAX_API_KEY_LENGTH,
        1,
        metadata={
            "description": "An API key, instead of email and password: the response has an access token with its "
            "scopes, and no refresh token.",
            "format": "password",
            "x-set-by": "programs",
        },
    )
    password = Password(
        metadata={"description": "The password exactly as entered; required with an email.", "format": "password"}
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _one_email(self, data: dict[str, Any], sent: dict[str, Any], **options: Any) -> None:
        if "api_key" not in sent:
            super()._one_email(data, sent, **options)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _password_or_key(self, _data: dict[str, Any], sent: dict[str, Any], **_options: Any) -> None:
        if "api_key" not in sent:
            if "password" not in sent:
                raise ValidationError(_("Missing data for required field."), "password")
        elif {"email", "username", "password"} & set(sent):
            raise ValidationError(_("Send either an API key, or an email and a password."), "api_key")


class LoginSchema(TwoStepSignInSchema):
    """Credentials, and whether the tokens go into cookies."""

    cookies = Flag(
        load_default=False,
        metadata={"description": "Whether to set the tokens as HttpOnly cookies instead of returning them."},
    )


class TokenPairSchema(Schema):
    """What a sign-in or a refresh gives (RFC 6749, section 5.1)."""

    EXAMPLE: ClassVar = {
        "access_token": EXAMPLE_JWT,
        "refresh_token": EXAMPLE_JWT,
        "token_type": "Bearer",
        "expires_in": 900,
    }

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True, metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(required=True, metadata={"description": "Seconds until the access token expires."})


class LoginAnswerSchema(Schema):
    """A sign-in: the user, and the tokens unless they are in cookies."""

    EXAMPLE: ClassVar = {**TokenPairSchema.EXAMPLE, "user": UserSchema.EXAMPLE}

    access_token = fields.String()
    refresh_token = fields.String()
    token_type = fields.String(metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(metadata={"description": "Seconds until the access token expires."})
    device_token = fields.String(
        metadata={"description": "Send it with the next sign-ins on this device; they need no second step."}
    )
    user = fields.Nested(UserSchema, required=True)


class RefreshSchema(Schema):
    """A refresh token, unless it is sent as a bearer token or cookie."""

    EXAMPLE: ClassVar = {"refresh_token": EXAMPLE_JWT}

    refresh_token = fields.String(validate=length_check(1, 4096))


class TokenSchema(Schema):
    """An access token to check."""

    EXAMPLE: ClassVar = {"token": EXAMPLE_JWT}

    token = fields.String(
        required=True, validate=length_check(1, 4096), metadata={"description": "The access token to check."}
    )


class ClaimsSchema(Schema):
    """The claims of a valid token (RFC 7519, section 4.1), and those that `ACCESS_TOKEN_CLAIMS` adds."""

    EXAMPLE: ClassVar = {
        "iss": "https://accounts.example.com",
        "aud": "userapi",
        "sub": "7",
        "sid": "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35",
        "jti": "0d9f6a52-3b7e-4c1d-a8f0-6e5b4c3d2a19",
        "iat": 1795939512,
        "nbf": 1795939512,
        "exp": 1795940412,
        "acr": "aal1",
        "amr": ["pwd"],
        "auth_time": 1795939512,
        "type": "access",
    }

    class Meta:
        unknown = INCLUDE

    iss = fields.String(required=True)
    aud = fields.String(required=True)
    sub = fields.String(required=True, metadata={"description": "The user's id."})
    sid = fields.String(required=True, metadata={"description": "The session's id."})
    jti = fields.String(required=True)
    iat = fields.Integer(required=True)
    nbf = fields.Integer(required=True)
    exp = fields.Integer(required=True)
    acr = fields.String(metadata={"enum": [level.value for level in Level]})
    amr = fields.List(fields.String())
    auth_time = fields.Integer()
    type = fields.String(required=True, metadata={"enum": ["access"]})


class LogoutSchema(Schema):
    """Which sessions end; a refresh token may replace a lost access token."""

    EXAMPLE: ClassVar = {"all": True}

    all = Flag(load_default=False, metadata={"description": "Whether to end all your sessions, not only this one."})
    refresh_token = fields.String(validate=length_check(1, 4096))


class _NewPasswordSchema(Schema):
    """A new password, entered twice."""

    new_password1 = NewPassword(required=True)
    new_password2 = NewPassword(required=True)

    def handle_error(self, error: ValidationError, data: Any, **_options: Any) -> None:
        """Check the new password too, so that one response names every invalid field."""
        password_policy.add_errors(error, "new_password1")
        password_policy.add_repetition_errors(error)


class PasswordChangeSchema(_NewPasswordSchema):
    """The current password, if the account has one, and the new one twice."""

    EXAMPLE: ClassVar = {
        "old_password": "velvet tram outside 7",
        "new_password1": "copper kettle upstairs 4",
        "new_password2": "copper kettle upstairs 4",
    }

    old_password = Password(metadata={"description": "The current password; required if the account has one."})

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _require_current_password(self, _data: dict[str, Any], sent: dict[str, Any], **_options: Any) -> None:
        caller = find_caller()
        if "old_password" not in sent and (caller is None or caller.user.has_password):
            raise ValidationError(_("Missing data for required field."), "old_password")


class EmailSchema(Schema):
    """The email address of someone who requests an email."""

    EXAMPLE: ClassVar = {"email": "wren@example.com"}

    email = EmailAddress(required=True)


class PasswordResetSchema(_NewPasswordSchema):
    """Both parts of a link that sets a password, and the new password twice."""

    EXAMPLE: ClassVar = {
        "uid": "7",
        "token": "from-the-link",
        "new_password1": "copper kettle upstairs 4",
        "new_password2": "copper kettle upstairs 4",
    }

    uid = Line(20, 1, required=True)
    token = Line(200, 1, required=True)


class EmailTokenSchema(Schema):
    """The token of a link that confirms an email, or undoes a change of it."""

    EXAMPLE: ClassVar = {"token": "from-the-link"}

    token = Line(200, 1, required=True)


class EmailChangeSchema(Schema):
    """A new email, and the current password unless the identity was proved recently."""

    EXAMPLE: ClassVar = {"email": "wren.okafor@example.com", "password": "velvet tram outside 7"}

    email = EmailAddress(required=True)
    password = Password()


class DetailSchema(Schema):
    """What was done, in a sentence."""

    detail = fields.String(required=True, metadata={"description": "What was done."})


def said(sentence: str) -> dict[str, str]:
    """An example of what `DetailSchema` describes."""
    return {"detail": sentence}


class EndedSessionsQuerySchema(Schema):
    """What ends besides the sessions."""

    keys = Flag(load_default=False, metadata={"description": "Whether your API keys are revoked too."})


class EndedSessionsSchema(EndedSessionsQuerySchema):
    """The same in a body."""

    EXAMPLE: ClassVar = {"keys": True}


class SessionSchema(Schema):
    """An active session."""

    id = fields.UUID(required=True, metadata={"description": "The id of the session, the claim `sid` in its tokens."})
    created_at = Timestamp(required=True)
    last_used_at = Timestamp(required=True)
    expires_at = Timestamp(required=True)
    address = fields.String(
        allow_none=True, required=True, metadata={"description": "The IP address from which the session was last used."}
    )
    user_agent = fields.String(allow_none=True, required=True)
    way = fields.String(
        required=True,
        metadata={"description": "How the session began, such as `password`, `passkey`, `code` or `provider:google`."},
    )
    current = fields.Boolean(required=True, metadata={"description": "Whether it is the session of this request."})
    by_staff = fields.Boolean(
        metadata={"description": "True if a member of staff is signed in as you; missing in your own sessions."}
    )


class SessionsSchema(Schema):
    """The active sessions of the caller."""

    EXAMPLE: ClassVar = {
        "results": [
            {
                "id": "5f2b0c1e-9d3a-4e57-8c64-1a7f0e2b9d35",
                "created_at": "2026-11-29T08:05:12.482913Z",
                "last_used_at": "2026-11-29T08:21:40.190372Z",
                "expires_at": "2026-12-29T08:05:12.482913Z",
                "address": "203.0.113.7",
                "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "way": "password",
                "current": True,
            }
        ]
    }

    results = fields.List(fields.Nested(SessionSchema), required=True)


class KeySetSchema(Schema):
    """A JSON Web Key Set (RFC 7517, section 5)."""

    EXAMPLE: ClassVar = {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "dSp1KAxzEcDAuHgoPlN9IcUWZHq3-K1uLwTYqFfX0D0",
                "y": "-MIWvzQiHNukJ-41M52l8lgKhGQijod2n3Tg9f8yAX8",
                "kid": "OQTV7a8Lu5QEBjjBu6YL_DH6DfBhSaWRC2Nb-x-qKOk",
                "alg": "ES256",
                "use": "sig",
            }
        ]
    }

    keys = fields.List(fields.Dict(), required=True)
