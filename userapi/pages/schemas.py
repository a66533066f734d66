"""The shapes of forms: those of the API, less what a form does not ask for."""

from typing import Any

import orjson
from flask_babel import gettext as _
from marshmallow import Schema, ValidationError, fields, pre_load, validates_schema

from userapi.auth.factor_schemas import CodeSchema, FactorNameSchema, NewAppSchema, SecondStepSwitchSchema
from userapi.auth.proof_schemas import ProofSchema
from userapi.auth.schemas import (
    MAX_CODE_LENGTH,
    EmailChangeSchema,
    EmailSchema,
    PasswordChangeSchema,
    PasswordResetSchema,
    SignInSchema,
)
from userapi.auth.second_step_schemas import SecondStepSchema
from userapi.http.fields import MAX_PASSWORD_LENGTH, Flag, Line, Name, Password, length_check
from userapi.invitations.schemas import AcceptanceSchema, NewOwnInvitationSchema
from userapi.mfa.passkey_models import MAX_NAME_LENGTH
from userapi.privacy.schemas import CloseSchema
from userapi.users.declaration import DeclaredProfile
from userapi.users.field_definition import Writer
from userapi.users.fields import USER_FIELDS
from userapi.users.schemas import NewUserSchema, NewUserWithoutPasswordSchema, UserEditSchema

#: The maximum length of a credential as JSON; the largest parts are an attestation object and a key.
MAX_CREDENTIAL_LENGTH = 40_000

#: The fields of the account's form; the email has a form of its own.
EDITABLE = [field.name for field in USER_FIELDS if field.writer is Writer.OWNER and field.name != "email"]


class _BlankProfile(Schema):
    """A form in which a profile that is left blank is none."""

    @pre_load
    def _drop_blank_profile(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        profile = data.get("profile")
        if isinstance(profile, dict) and not any(value for value in profile.values() if value != "false"):
            return {name: value for name, value in data.items() if name != "profile"}
        return data


class AccountFormSchema(UserEditSchema):
    """The form of an account; unlike in the API, a profile that is sent must have a value for each required field."""

    profile = DeclaredProfile("profile_form", allow_none=True)


class FirstProfileSchema(_BlankProfile, AccountFormSchema):
    """The form of an account without a profile."""


class RegistrationSchema(_BlankProfile, NewUserSchema):
    """The form that creates an account; unlike in the API, the profile can wait."""

    profile = DeclaredProfile("new_profile")


class InvitationFormSchema(_BlankProfile, AcceptanceSchema):
    """The form that accepts an invitation, whose token is in a cookie."""

    class Meta(AcceptanceSchema.Meta):
        exclude = ("email", "token")


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


class SecondStepPasskeySchema(PasskeySchema):
    """A passkey as second step of a sign-in."""

    remember_device = Flag(load_default=False)


class NewPasskeySchema(PasskeySchema):
    """A passkey to add."""

    name = Name(MAX_NAME_LENGTH, trim=True, load_default="")


class MailedCodeSchema(Schema):
    """The code from an email."""

    code = Line(MAX_CODE_LENGTH, 1, trim=True, required=True)


class CodeOfLinkSchema(MailedCodeSchema):
    """The same in the form of a link, which another browser needs no code for."""

    code = Line(MAX_CODE_LENGTH, 1, trim=True)


class SetUpCodeSchema(CodeSchema):
    """The code of an app, and the app that is being set up."""

    set_up = fields.String()


class ProofOfAccountSchema(Schema):
    """The password of an account, or a code that was sent to its email address."""

    password = Password()
    challenge = Line(100, 1)
    code = Line(MAX_CODE_LENGTH, 1)

    @validates_schema(skip_on_field_errors=False)
    def _one_proof(self, data: dict[str, Any], **_options: Any) -> None:
        missing = "code" if "challenge" in data else "password"
        if missing not in data:
            raise ValidationError(_("Missing data for required field."), missing)


credentials = SignInSchema()
proof_of_account = ProofOfAccountSchema()
provider_registration = NewUserWithoutPasswordSchema()
passkey = PasskeySchema()
second_step_passkey = SecondStepPasskeySchema()
new_passkey = NewPasskeySchema()
second_step = SecondStepSchema(only=("code", "remember_device"))
registration = RegistrationSchema()
invitation = InvitationFormSchema()
own_invitation = NewOwnInvitationSchema()
password_strength = PasswordStrengthSchema()
email = EmailSchema()
code_request = EmailSchema()
mailed_code = MailedCodeSchema()
code_of_link = CodeOfLinkSchema()
email_change = EmailChangeSchema()
proof = ProofPageSchema()
closing = CloseSchema()
password_change = PasswordChangeSchema()
new_password = PasswordResetSchema(only=("new_password1", "new_password2"))
new_app = NewAppSchema()
set_up_code = SetUpCodeSchema()
factor_name = FactorNameSchema()
second_step_switch = SecondStepSwitchSchema()
account = AccountFormSchema(only=EDITABLE)
completion = AccountFormSchema(only=["profile"])
account_without_profile = FirstProfileSchema(only=EDITABLE)
