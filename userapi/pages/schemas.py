"""The shapes of forms: those of the API, less what a form does not ask for."""

from typing import Any

from marshmallow import Schema, pre_load

from userapi.auth.schemas import (
    EmailChangeSchema,
    EmailSchema,
    PasswordChangeSchema,
    PasswordResetSchema,
    SignInSchema,
)
from userapi.http.fields import Password
from userapi.users.fields import USER_FIELDS, Writer
from userapi.users.schemas import NewUserSchema, UserEditSchema

#: The fields of the account's form; the email has a form of its own.
EDITABLE = [field.name for field in USER_FIELDS if field.writer is Writer.OWNER and field.name != "email"]


class FirstProfileSchema(UserEditSchema):
    """The form of an account without a profile: one left blank is none."""

    @pre_load
    def _drop_blank_profile(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        profile = data.get("profile")
        if isinstance(profile, dict) and not any(profile.values()):
            return {name: value for name, value in data.items() if name != "profile"}
        return data


class OwnPasswordSchema(Schema):
    """The caller's own password."""

    password = Password(required=True)


credentials = SignInSchema()
new_user = NewUserSchema()
email = EmailSchema()
email_change = EmailChangeSchema()
own_password = OwnPasswordSchema()
password_change = PasswordChangeSchema()
new_password = PasswordResetSchema(only=("new_password1", "new_password2"))
account = UserEditSchema(only=EDITABLE)
account_without_profile = FirstProfileSchema(only=EDITABLE)
