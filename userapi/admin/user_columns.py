"""Which columns the user list shows: a choice that is remembered in the browser."""

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from flask_babel import lazy_gettext

from userapi.auth.caller import get_caller
from userapi.core import private_cookies
from userapi.html import profile_inputs
from userapi.mfa import overview_queries
from userapi.mfa.user_filters import APP, LOCKED, PASSKEY
from userapi.users import permissions
from userapi.users.declaration import get_declaration, read_values
from userapi.users.field_definition import Field
from userapi.users.fields import PROFILE

from .labels import SECOND_STEPS

COOKIE = "user_columns"
COOKIE_SECONDS = 365 * 86400

#: The columns beside the email and name, in their order, with their labels.
COLUMNS = {
    "status": lazy_gettext("Status"),
    "id": lazy_gettext("ID"),
    "language": lazy_gettext("Language"),
    "city": lazy_gettext("City"),
    "country": lazy_gettext("Country"),
    "date_joined": lazy_gettext("Joined"),
    "last_login": lazy_gettext("Last sign-in"),
    "second_step": lazy_gettext("Second step"),
}

DEFAULT = ("status", "country", "date_joined", "last_login")

#: Between the names in the cookie.
SEPARATOR = "."


#: How the names of the columns begin that show a field of profiles.
OF_PROFILE = "profile_"


def list_columns() -> dict[str, Any]:
    """The labels of all columns by name, with those of the fields that the deployer wants to have in the list."""
    declaration = get_declaration()
    if declaration.is_default:
        return COLUMNS
    shown = {name: label for name, label in COLUMNS.items() if name not in PROFILE or name in declaration.by_name}
    return shown | {OF_PROFILE + field.name: profile_inputs.get_label(field) for field in _list_fields()}


def _list_fields() -> list[Field]:
    return [field for field in get_declaration().fields if field.is_listed and not field.is_sensitive]


def describe_field(row: Any, column: str) -> str:
    """The value in a column of a profile field, as a text.

    Args:
        row: of the list.
        column: the name of the column.
    """
    field = get_declaration().by_name[column.removeprefix(OF_PROFILE)]
    if field.name in get_declaration().staff_only and not permissions.acts_as_staff(get_caller().actor, row.id):
        return ""
    return profile_inputs.describe_value(field, read_values(row, [field])[field.name])


def get_columns() -> list[str]:
    """The names of the columns to show."""
    text = request.cookies.get(COOKIE)
    chosen = (
        (*DEFAULT, *(OF_PROFILE + field.name for field in _list_fields())) if text is None else text.split(SEPARATOR)
    )
    return [name for name in list_columns() if name in chosen]


def read_second_steps(rows: Sequence[Any]) -> dict[int, list[Any]]:
    """What users do their second step with, as texts; by id, of those in these rows whose second step is on."""
    kinds = overview_queries.list_kinds([row.id for row in rows]) if rows else {}
    return {user_id: _name_kinds(row) for user_id, row in kinds.items()}


def _name_kinds(row: Any) -> list[Any]:
    names = [SECOND_STEPS[kind] for kind, is_there in ((APP, row.has_app), (PASSKEY, row.has_passkey)) if is_there]
    return names or [lazy_gettext("Recovery codes") if row.has_recovery_codes else SECOND_STEPS[LOCKED]]


def remember_columns(response: Response, chosen: Sequence[str]) -> Response:
    """Let the browser keep a choice; unknown names are ignored."""
    names = [name for name in list_columns() if name in chosen]
    return private_cookies.set_cookie(response, COOKIE, SEPARATOR.join(names), COOKIE_SECONDS, "/admin/users/")
