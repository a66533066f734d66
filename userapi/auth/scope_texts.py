"""What the scopes of API keys mean, in the words of those who choose them."""

from typing import Any, NamedTuple

from flask_babel import lazy_gettext

from userapi.core.scopes import Scope


class ScopeText(NamedTuple):
    """What a scope lets a key do.

    Attributes:
        title: in a few words.
        explanation: in a sentence.
    """

    title: Any
    explanation: Any


TEXTS = {
    Scope.PROFILE: ScopeText(
        lazy_gettext("Read your account"), lazy_gettext("Your names, email address, profile and permissions.")
    ),
    Scope.PROFILE_WRITE: ScopeText(
        lazy_gettext("Change your account"), lazy_gettext("Your names, language and profile, but not how you sign in.")
    ),
    Scope.USERS: ScopeText(lazy_gettext("Read users"), lazy_gettext("The accounts and profiles that you may see.")),
    Scope.USERS_WRITE: ScopeText(
        lazy_gettext("Create and change users"), lazy_gettext("The accounts that you may change.")
    ),
    Scope.USERS_DELETE: ScopeText(
        lazy_gettext("Delete users"), lazy_gettext("The accounts that you may delete, for good.")
    ),
    Scope.EVENTS: ScopeText(
        lazy_gettext("Read the audit log"), lazy_gettext("What happened to all accounts, as the event feed has it.")
    ),
    Scope.WEBHOOKS: ScopeText(
        lazy_gettext("Manage webhooks"), lazy_gettext("Where events are sent, and what was delivered.")
    ),
}

#: The titles for staff, whose own account it is not.
FOR_STAFF = {
    Scope.PROFILE: lazy_gettext("Read the account of its user"),
    Scope.PROFILE_WRITE: lazy_gettext("Change the account of its user"),
}

#: What every user can do; all other scopes are of use to staff only.
OF_EVERY_USER = (Scope.PROFILE, Scope.PROFILE_WRITE)


def list_choices(*, is_staff: bool) -> dict[Scope, ScopeText]:
    """The scopes that a user can make use of, with their texts."""
    return {scope: text for scope, text in TEXTS.items() if is_staff or scope in OF_EVERY_USER}


def get_title(scope: str) -> str:
    """What a scope of a stored key lets it do; the scope itself if this version does not have it."""
    return str(TEXTS[Scope(scope)].title) if scope in TEXTS else scope


def get_title_for_staff(scope: str) -> str:
    """The same in the words of staff who look at the key of another user."""
    return str(FOR_STAFF[Scope(scope)]) if scope in FOR_STAFF else get_title(scope)
