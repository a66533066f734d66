"""The rules of extensions about an act on a user, and what they may change of that user."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from marshmallow import ValidationError

from userapi.core import hooks
from userapi.core.hooks import HookFailed
from userapi.core.problems import Problem

from . import profile_edits
from .declaration import get_declaration
from .field_types import input_field
from .fields import USER, to_columns
from .models import User

#: The fields of a user that rules may change, besides those of the profile.
CHANGEABLE = ("username", "first_name", "last_name", "language")


def run(name: str, user: User, changes: Mapping[str, Any], by: Any, *, may_change: bool = False) -> None:
    """Call the rules of an act.

    Args:
        name: one of `hooks.RULES`.
        user: the user, with the changes.
        changes: what is about to be changed.
        by: who acts; None for anonymous visitors, links in emails and the command line.
        may_change: whether rules may change names, language and profile; the caller then stores and logs them.

    Raises:
        hooks.Denied: a rule raised a problem.
        hooks.HookFailed: a rule failed, or changed what it may not change.
    """
    if not hooks.has_rules(name):
        return
    before = _read(user)
    hooks.run_rules(name, user, changes, by)
    after = _read(user)
    changed = {field: after[field] for field in after if after[field] != before.get(field)}
    if before["profile"] != after["profile"]:
        changed |= {"profile": None} if before["profile"] else {}
    if not may_change and changed:
        raise HookFailed(f"rules of {name} changed {', '.join(sorted(changed))}: they may not change the user")
    _require_changeable(name, changed)
    in_profile = {field[8:]: value for field, value in changed.items() if field.startswith("profile.")}
    _require_valid(name, changed, in_profile)
    if in_profile and user.profile is not None:
        user.profile.set_values(in_profile)
    own = {field: value for field, value in changed.items() if field in CHANGEABLE}
    for column, value in to_columns(own).items():  # with the columns that search and order use
        setattr(user, column, value)


def _read(user: User) -> dict[str, Any]:
    columns = [column.key for column in sa.inspect(User).column_attrs if not column.key.endswith("_name_key")]
    values = {name: getattr(user, name) for name in columns if name != "username_key"}
    values["profile"] = user.profile is not None
    if user.profile is not None:
        values |= {f"profile.{name}": user.profile.value_of(name) for name in get_declaration().names}
    return values


def _require_changeable(name: str, changed: Mapping[str, Any]) -> None:
    wrong = [field for field in changed if field not in CHANGEABLE and not field.startswith("profile.")]
    if wrong:
        raise HookFailed(
            f"rules of {name} changed {', '.join(sorted(wrong))}: they may only change "
            f"{', '.join(CHANGEABLE)} and fields of the profile"
        )


def _require_valid(name: str, changed: Mapping[str, Any], in_profile: Mapping[str, Any]) -> None:
    try:
        for field in CHANGEABLE:
            if changed.get(field):
                input_field(USER[field]).deserialize(changed[field])
        get_declaration().profile_edit.load(
            {
                field: value.isoformat() if isinstance(value, date) else value
                for field, value in in_profile.items()
                if value is not None
            }
        )
        if in_profile:
            profile_edits.require_small(in_profile)
    except (ValidationError, Problem) as error:
        raise HookFailed(f"rules of {name} set a value that is not valid: {error}") from error
