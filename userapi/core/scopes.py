"""What an API key may be used for: the scopes that its owner gives it, and that operations require."""

from enum import StrEnum


class Scope(StrEnum):
    """A part of the API. An operation without a scope is closed to API keys.

    A scope gives no permission: a key can do what both its scopes and the permissions of its owner allow.

    Attributes:
        PROFILE: read the owner's account.
        PROFILE_WRITE: change it.
        USERS: read users.
        USERS_WRITE: create and change users.
        USERS_DELETE: delete users.
        EVENTS: read the audit log.
        WEBHOOKS: manage webhooks.
    """

    PROFILE = "profile"
    PROFILE_WRITE = "profile:write"
    USERS = "users"
    USERS_WRITE = "users:write"
    USERS_DELETE = "users:delete"
    EVENTS = "events"
    WEBHOOKS = "webhooks"


def parse_scopes(text: str) -> frozenset[str]:
    """The scopes in a text, separated by spaces (RFC 6749, section 3.3)."""
    return frozenset(text.split())


def join_scopes(scopes: frozenset[str]) -> str:
    """Scopes as such a text, in the order of `Scope`."""
    return " ".join(scope for scope in Scope if scope in scopes)
