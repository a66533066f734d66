"""What may be changed of a profile, by whom, and the change itself."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from userapi.core.problems import ValidationFailed
from userapi.http.responses import dump_json

from . import permissions
from .declaration import Declaration, get_declaration
from .field_definition import Field, Writer
from .models import User, UserProfile
from .permissions import Actor
from .problems import ReadOnlyField
from .user_values import Editable

#: The maximum length of all own values of a user, in bytes of JSON.
MAX_OWN_VALUES = 32 * 1024

#: The writers that a user, and staff, act as.
OWNER = frozenset({Writer.OWNER})
NEW_OWNER = OWNER | {Writer.ONCE}
STAFF = NEW_OWNER | {Writer.STAFF}


def make_profile(values: Mapping[str, Any] | None) -> UserProfile | None:
    """A new profile with these values; None without any values."""
    if not values:
        return None
    profile = UserProfile()
    profile.set_values(values)
    require_small(profile.extra)
    return profile


def require_registrable(values: Mapping[str, Any] | None, given: Mapping[str, Any] | None = None) -> None:
    """Check that the visitor who registers may write all of a profile, and that nothing needed is missing.

    Args:
        values: what the visitor has sent.
        given: values that staff have given before.

    Raises:
        ReadOnlyField, ValidationFailed: naming the fields that the visitor may not write, or that are missing.
    """
    if values or given:
        declaration = get_declaration()
        _require_writable(declaration, values or {}, NEW_OWNER, declaration.staff_only)
        _require_complete(declaration, {**(given or {}), **(values or {})}, _("Missing data for required field."))


def require_given(values: Mapping[str, Any]) -> None:
    """Check that staff may write these values of a new profile.

    Raises:
        ReadOnlyField: naming the fields that staff may not write.
    """
    _require_writable(get_declaration(), values, STAFF, frozenset())


def edit_profile(user: Editable, values: Mapping[str, Any] | None, by: Actor) -> None:
    """Change the profile of a user, or create it.

    Args:
        user: locked.
        values: fields and their new values; None changes nothing.
        by: who acts.

    Raises:
        ReadOnlyField: the actor may not change a field, and it was not sent unchanged.
        ValidationFailed: a new profile lacks a required field, or the profile would be removed.
    """
    if values is None:
        if user.profile is not None:
            raise ValidationFailed(errors={"profile": [_("A profile cannot be removed.")]})
        return
    declaration = get_declaration()
    as_staff = permissions.acts_as_staff(by, user.id)
    writers = _writers(user.id, by, has_profile=user.profile is not None)
    hidden = frozenset() if as_staff else declaration.staff_only
    changed = {name: value for name, value in values.items() if name in hidden or value != _value(user, name)}
    _require_writable(declaration, changed, writers, hidden)
    if user.profile is not None:
        _require_kept(declaration, changed)
        before = user.profile.extra
        user.profile.set_values(changed)
        require_small(user.profile.extra, before)
    elif values and isinstance(user, User):  # `account_edits.is_plain` says when it is one
        _require_complete(declaration, values, _("Missing data for required field: this user has no profile yet."))
        user.profile = make_profile(changed)


def require_small(own_values: Mapping[str, Any] | None, before: Mapping[str, Any] | None = None) -> None:
    """Check the size of all own values of a user.

    Args:
        own_values: as `UserProfile.extra` has them.
        before: the values until now. What is too long already may become shorter.

    Raises:
        ValidationFailed: they are longer than `MAX_OWN_VALUES`, and longer than before.
    """
    size = len(dump_json(own_values)) if own_values else 0
    if size > MAX_OWN_VALUES and size > len(dump_json(before or {})):
        message = _("All values together must not be larger than %(size)s KiB.", size=MAX_OWN_VALUES // 1024)
        raise ValidationFailed(errors={"profile": {"_schema": [message]}})


def list_visible(user_id: int | None, by: Actor | None) -> tuple[Field, ...]:
    """The fields of a user's profile that an actor sees.

    Args:
        user_id: whose profile it is; None for a visitor who registers.
        by: who looks at it; None for that visitor.
    """
    declaration = get_declaration()
    if user_id is not None and permissions.acts_as_staff(by, user_id):
        return declaration.fields
    return tuple(field for field in declaration.fields if field.name not in declaration.staff_only)


def list_writable(user_id: int | None, by: Actor | None, *, has_profile: bool) -> frozenset[str]:
    """The names of the fields of a user's profile that an actor may change.

    Args:
        user_id: as above.
        by: as above.
        has_profile: whether the user has a profile; the first one may have more.
    """
    writers = _writers(user_id, by, has_profile=has_profile)
    return frozenset(field.name for field in list_visible(user_id, by) if field.writer in writers)


def _writers(user_id: int | None, by: Actor | None, *, has_profile: bool) -> frozenset[Writer]:
    if user_id is not None and permissions.acts_as_staff(by, user_id):
        return STAFF
    return OWNER if has_profile else NEW_OWNER


def _value(user: Editable, name: str) -> Any:
    return None if user.profile is None else user.profile.value_of(name)


def _require_writable(
    declaration: Declaration, values: Mapping[str, Any], writers: frozenset[Writer], hidden: frozenset[str]
) -> None:
    """Check that all of these fields may be written; of hidden ones the error does not tell that they exist."""
    errors = {
        name: [_("Unknown field.") if name in hidden else _("You cannot change this field.")]
        for name, value in values.items()
        if name in hidden or declaration.by_name[name].writer not in writers
    }
    if errors:
        raise ReadOnlyField(errors={"profile": errors})


def _require_kept(declaration: Declaration, changed: Mapping[str, Any]) -> None:
    """Check that no required field loses its value."""
    removed = [name for name in declaration.needed_at_first if changed.get(name, True) is None]
    if removed:
        raise ValidationFailed(errors={"profile": {name: [_("Field may not be null.")] for name in removed}})


def _require_complete(declaration: Declaration, values: Mapping[str, Any], message: str) -> None:
    missing = [name for name in declaration.needed_at_first if values.get(name) in (None, "")]
    if missing:
        raise ValidationFailed(errors={"profile": {name: [message] for name in missing}})
