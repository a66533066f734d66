"""What access tokens say about an account for other services to read. This service never trusts it."""

from typing import Any

from flask import Flask, current_app

from userapi.core import hooks
from userapi.core.environment import ConfigurationError
from userapi.users import missing_fields
from userapi.users import queries as user_queries
from userapi.users.declaration import get_declaration
from userapi.users.models import User

from . import extension_claims, queries, sessions, set_up_sessions

#: The claims that the setting `ACCESS_TOKEN_CLAIMS` can add without a declaration of own fields.
OF_ACCOUNTS = ("email", "username", "is_staff", "is_superuser", "groups")

#: The claims about permissions in tokens of a session that lacks a required second step.
WITHOUT_PERMISSIONS: dict[str, Any] = {"is_staff": False, "is_superuser": False, "groups": []}

#: The claim that says whether the user has given every mandatory field of the profile, if there are such fields.
PROFILE_COMPLETE = "profile_complete"

#: How the names of claims begin that are members of the claim `profile`.
IN_PROFILE = "profile."


def configure(app: Flask) -> None:
    """Check that the claims of the setting exist.

    Raises:
        ConfigurationError: naming those that do not.
    """
    with app.app_context():
        known = [*OF_ACCOUNTS, *get_declaration().claims]
    unknown = [name for name in app.config["ACCESS_TOKEN_CLAIMS"] if name not in known]
    if unknown:
        raise ConfigurationError(
            f"ACCESS_TOKEN_CLAIMS: There is no claim {', '.join(unknown)}. Choose from {', '.join(known)}."
        )


def read_claims(session: sessions.Refreshed) -> dict[str, Any]:
    """The claims of `ACCESS_TOKEN_CLAIMS` and of extensions for the token of a session, with the values of this moment.

    Claims that are named as in `profile.company` are members of one claim, `profile`, so that other
    services can distinguish what owners say of themselves from what the service knows. Extensions add nothing while
    the session lacks a second step that is required.

    Raises:
        hooks.HookFailed: an extension has no claims for the user; no token may be issued.
    """
    wanted, are_extended = current_app.config["ACCESS_TOKEN_CLAIMS"], bool(hooks.get_hooks().claims)
    tells_completeness = get_declaration().has_mandatory
    if not wanted and not are_extended and not tells_completeness:
        return {}
    found = queries.read_user_for_claims(session.user_id)
    claims: dict[str, Any] = {}
    if tells_completeness:
        row = user_queries.row_of_user(found.User)
        claims[PROFILE_COMPLETE] = not missing_fields.list_mandatory(row)
    for name in wanted:
        if name.startswith(IN_PROFILE):
            claims.setdefault("profile", {})[name.removeprefix(IN_PROFILE)] = _value(found.User, name)
        else:
            claims[name] = _value(found.User, name)
    if not set_up_sessions.has_permissions(session, found):
        return without_permissions(claims)
    return {**extension_claims.make_claims(found.User), **claims} if are_extended else claims


def without_permissions(claims: dict[str, Any]) -> dict[str, Any]:
    """Claims that give other services no reason to grant permissions."""
    return claims | {name: value for name, value in WITHOUT_PERMISSIONS.items() if name in claims}


def _value(user: User, name: str) -> Any:
    field = get_declaration().claims.get(name)
    if field is not None:
        return None if user.profile is None else user.profile.value_of(field.name)
    return [group.name for group in user.groups] if name == "groups" else getattr(user, name)
