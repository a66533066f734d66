"""Whether a webhook works, in one word."""

from enum import StrEnum
from typing import Any


class Health(StrEnum):
    """Whether events reach a webhook."""

    ACTIVE = "active"
    #: The last attempt failed.
    FAILING = "failing"
    DISABLED = "disabled"


def health_of(endpoint: Any) -> Health:
    """The health of a webhook, from its row."""
    if endpoint.disabled_at is not None:
        return Health.DISABLED
    return Health.ACTIVE if endpoint.failing_since is None else Health.FAILING
