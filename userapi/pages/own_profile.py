"""The fields of the caller's own profile on pages: which there are, and which are still missing."""

from typing import Any

from userapi.auth.caller import Caller
from userapi.html import profile_inputs
from userapi.html.forms import Form
from userapi.html.profile_inputs import ProfileInput
from userapi.users import missing_fields, profile_edits
from userapi.users.declaration import get_declaration, read_values


def list_inputs(form: Form, caller: Caller | None, user: Any) -> list[ProfileInput] | None:
    """The inputs for a profile; None for the built-in fields, which have their own places on pages.

    Users without a profile see only what they can fill in.

    Args:
        form: of the page.
        caller: of the request.
        user: the row of the caller; empty for a visitor who registers.
    """
    if get_declaration().is_default:
        return None
    me, by = (user, caller.actor) if user and caller else (None, None)
    user_id, has_profile = (me.id, me.profile_user_id is not None) if me else (None, False)
    writable = profile_edits.list_writable(user_id, by, has_profile=has_profile)
    shown = [field for field in profile_edits.list_visible(user_id, by) if has_profile or field.name in writable]
    return profile_inputs.list_inputs(shown, read_values(me, shown) if me else {}, form, writable)


def list_missing_inputs(form: Form, caller: Caller) -> list[ProfileInput]:
    """The inputs for what is missing of the caller's profile; as long as there are mandatory fields, only for these."""
    names = set(missing_fields.list_mandatory(caller.user) or missing_fields.list_missing(caller.user))
    declaration = get_declaration()
    if names and caller.user.profile_user_id is None:
        names.update(declaration.needed_at_first)
    missing = [field for field in declaration.fields if field.name in names]
    return profile_inputs.list_inputs(missing, {}, form, names)


def list_missing_labels(caller: Caller) -> list[Any]:
    """The labels of the fields that the caller is prompted for."""
    declaration = get_declaration()
    if not declaration.has_prompts:
        return []
    return [profile_inputs.get_label(declaration.by_name[name]) for name in missing_fields.list_missing(caller.user)]
