"""The shapes of forms: those of the API, less what a form does not ask for."""

from typing import Any

import orjson
from marshmallow import Schema, fields, pre_load

from userapi.auth.factor_schemas import CodeSchema, FactorNameSchema, NewAppSchema, SecondStepSwitchSchema
from userapi.auth.proof_schemas import ProofSchema
from userapi.auth.schemas import (
    EmailChangeSchema,
    EmailSchema,
    PasswordChangeSchema,
    PasswordResetSchema,
    SignInSchema,
)
from userapi.auth.second_step_schemas import SecondStepSchema
from userapi.http.fields import MAX_PASSWORD_LENGTH, Name, length_check
from userapi.mfa.passkey_models import MAX_NAME_LENGTH
from userapi.users.fields import USER_FIELDS, Writer
from userapi.users.schemas import NewProfileSchema, NewUserSchema, UserEditSchema

#: The maximum length of a credential as JSON; the largest parts are an attestation object and a key.
MAX_CREDENTIAL_LENGTH = 40_000

#: The fields of the account's form; the email has a form of its own.
EDITABLE = [field.name for field in USER_FIELDS if field.writer is Writer.OWNER and field.name != "email"]


class _BlankProfile(Schema):
    """A form in which a profile that is left blank is none."""

    @pre_load
    def _drop_blank_profile(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        profile = data.get("profile")
        if isinstance(profile, dict) and not any(profile.values()):
            return {name: value for name, value in data.items() if name != "profile"}
        return data


class FirstProfileSchema(_BlankProfile, UserEditSchema):
    """The form of an account without a profile."""


class RegistrationSchema(_BlankProfile, NewUserSchema):
    """The form that creates an account; unlike in the API, the profile can wait."""

    profile = fields.Nested(NewProfileSchema)


class PasswordStrengthSchema(Schema):
    """A password that is being typed, and the email of the account."""

    password = fields.String(required=True, validate=length_check(1, MAX_PASSWORD_LENGTH))
    email = fields.String(load_default="", validate=length_check(0, 254))


class CredentialText(fields.Dict):
    """What a browser made of a passkey, as JSON in a hidden input; what is no JSON is rejected later, as a passkey."""

    def _deserialize(self, value: Any, *_arguments: Any, **_options: Any) -> Any:
        try:
            return orjson.loads(value) if len(str(value)) <= MAX_CREDENTIAL_LENGTH else None
        except orjson.JSONDecodeError:
            return None


class ProofPageSchema(ProofSchema):
    """A proof of identity, and the form that waits for it."""

    credential = CredentialText()
    form = fields.String()
    form_follows = fields.String()


class PasskeySchema(Schema):
    """A passkey."""

    credential = CredentialText(required=True)


class NewPasskeySchema(PasskeySchema):
    """A passkey to add."""

    name = Name(MAX_NAME_LENGTH, trim=True, load_default="")


class SetUpCodeSchema(CodeSchema):
    """The code of an app, and the app that is being set up."""

    set_up = fields.String()


credentials = SignInSchema()
passkey = PasskeySchema()
new_passkey = NewPasskeySchema()
second_step = SecondStepSchema(only=("code", "remember_device"))
registration = RegistrationSchema()
password_strength = PasswordStrengthSchema()
email = EmailSchema()
email_change = EmailChangeSchema()
proof = ProofPageSchema()
password_change = PasswordChangeSchema()
new_password = PasswordResetSchema(only=("new_password1", "new_password2"))
new_app = NewAppSchema()
set_up_code = SetUpCodeSchema()
factor_name = FactorNameSchema()
second_step_switch = SecondStepSwitchSchema()
account = UserEditSchema(only=EDITABLE)
account_without_profile = FirstProfileSchema(only=EDITABLE)
