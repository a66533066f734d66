"""Fields of profiles that users are prompted for, or without which they may do nothing else (decision 0076)."""

from collections.abc import Iterable
from typing import Any

from apispec import APISpec

from userapi.core.email_domains import is_service_address

from .declaration import get_declaration, read_values
from .field_definition import Field
from .problems import ProfileIncomplete

#: The name of the list in the documents of users.
MISSING = "missing"


def list_missing(row: Any) -> list[str]:
    """The names of the fields that a user is prompted for.

    Args:
        row: begins with `queries.document_columns()`.
    """
    return _without_value(row, get_declaration().prompted)


def list_mandatory(row: Any) -> list[str]:
    """The names of the fields without which a user may do nothing else today."""
    declaration = get_declaration()
    return _without_value(row, declaration.mandatory()) if declaration.has_mandatory else []


def require_mandatory(row: Any) -> None:
    """Check that a user has given every mandatory field.

    Raises:
        ProfileIncomplete: naming the fields that are missing.
    """
    if get_declaration().has_mandatory and (names := list_mandatory(row)):
        raise ProfileIncomplete(names)


def _without_value(row: Any, fields: Iterable[Field]) -> list[str]:
    """The names of the fields without a value; none for programs, and superusers without a profile, who administer."""
    if row.profile_user_id is None and (row.is_superuser or is_service_address(row.email)):
        return []
    return [name for name, value in read_values(row, fields).items() if value in (None, "")]


def describe(spec: APISpec) -> None:
    """Add the list of missing fields to the API document of an application that prompts for them."""
    if not get_declaration().has_prompts:
        return
    for name in ("User", "OwnUser"):
        spec.components.schemas[name]["properties"][MISSING] = {
            "type": "array",
            "items": {"type": "string"},
            "readOnly": True,
            "description": "The names of the profile fields that the user still has to fill in. Ignored in requests.",
        }
