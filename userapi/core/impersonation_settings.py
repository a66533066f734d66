"""The settings of impersonation, a part of `userapi.settings`."""

from typing import Any

from .environment import Settings


def read(env: Settings) -> dict[str, Any]:
    """The settings in an environment."""
    return {
        "IMPERSONATION": env.bool("IMPERSONATION", False),
        "IMPERSONATION_WRITES": env.bool("IMPERSONATION_WRITES", False),
        "IMPERSONATION_NOTICE": env.bool("IMPERSONATION_NOTICE", True),
    }
