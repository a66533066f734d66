"""What the download of a user's own data contains."""

from typing import Any

from . import queries


def collect(user_id: int) -> list[dict[str, Any]]:
    """The organisations of a user, and the role in each."""
    return [
        {"organisation": organisation.name, "role": role}
        for organisation, role in queries.list_organisations_of(user_id)
    ]
