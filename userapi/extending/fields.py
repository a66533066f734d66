"""Profile fields of extensions."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from userapi.core.environment import ConfigurationError
from userapi.users.field_definition import Field
from userapi.users.own_fields import toml_file
from userapi.users.own_fields.names import DeclarationError


def profile_field(name: str, kind: str, *, check: Callable[[Any], None] | None = None, **attributes: Any) -> Field:
    """A field of the profiles of users, as a table of the file PROFILE_FIELDS declares one.

    Args:
        name: of the field.
        kind: the value of `type` in the file, such as `line`.
        check: called with a value that is valid otherwise; raises `marshmallow.ValidationError` to reject it.
        attributes: the other keys of the file, such as `max=14`.

    Raises:
        ConfigurationError: in one line.
    """
    try:
        return replace(toml_file.read_field(name, {"type": kind, **attributes}), check=check)
    except DeclarationError as error:
        raise ConfigurationError(str(error)) from error
