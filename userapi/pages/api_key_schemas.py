"""The forms of API keys."""

from typing import Any

from flask_babel import lazy_gettext
from marshmallow import fields

from userapi.auth.api_key_schemas import NewKeyFormSchema, RotationSchema
from userapi.core.scopes import Scope
from userapi.http.fields import choice_check


class ChosenScopes(fields.List[str]):
    """The scopes whose checkboxes are checked. Each checkbox has a name of its own, because none is sent twice."""

    default_error_messages = {"required": lazy_gettext("Select what the key can be used for.")}

    def _deserialize(self, value: Any, *arguments: Any, **options: Any) -> list[Any]:
        chosen = [name for name, is_on in value.items() if is_on == "true"] if isinstance(value, dict) else value
        if not chosen:
            raise self.make_error("required")
        return super()._deserialize(chosen, *arguments, **options)


class NewKeySchema(NewKeyFormSchema):
    """The form that creates an API key."""

    scopes = ChosenScopes(fields.String(validate=choice_check([scope.value for scope in Scope])), required=True)


new_key = NewKeySchema()
rotation = RotationSchema()
