"""The fields of a declaration, from its file and from extensions."""

from collections.abc import Sequence

from userapi.core.environment import ConfigurationError
from userapi.users.field_definition import Field
from userapi.users.fields import PROFILE, PROFILE_FIELDS

from . import toml_file
from .names import MAX_FIELDS, DeclarationError, check_name
from .rules import check_claims, check_rules


def read_fields(path: str, extra_fields: Sequence[Field] = ()) -> tuple[Field, ...]:
    """The fields of profiles: those of the file or, without one, the built-in ones; then those of extensions.

    Args:
        path: the setting `PROFILE_FIELDS`; may be empty.
        extra_fields: own fields that extensions add.

    Raises:
        ConfigurationError: one line that names the field and the error.
    """
    try:
        fields = toml_file.read(path) if path else PROFILE_FIELDS
        return _add_fields(fields, extra_fields)
    except DeclarationError as error:
        raise ConfigurationError(f"PROFILE_FIELDS: {error}") from error


def _add_fields(fields: tuple[Field, ...], extra_fields: Sequence[Field]) -> tuple[Field, ...]:
    names = {field.name for field in fields} | set(PROFILE)
    for field in extra_fields:
        check_name(field.name)
        if field.name in names:
            raise DeclarationError(f"profile.{field.name}: This field is declared twice, here and by an extension.")
        names.add(field.name)
        check_rules(field)
    merged = (*fields, *extra_fields)
    if len(merged) > MAX_FIELDS:
        raise DeclarationError(f"profile: There are {len(merged)} fields; the maximum is {MAX_FIELDS}.")
    check_claims(merged)
    return merged
