"""The claim `organisations` of access tokens: `{"7": "owner"}`. The name `org` is reserved by the service."""

from typing import Any

from . import queries
from .rules import MAX_ORGANISATIONS


def make_claims(user: Any) -> dict[str, Any]:
    """The roles of a user by the ids of the organisations; nothing if simultaneous requests made them too many."""
    found = queries.list_organisations_of(user.id)
    if len(found) > MAX_ORGANISATIONS:
        return {}
    return {"organisations": {str(organisation.id): role for organisation, role in found}}
