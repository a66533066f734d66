"""What members of staff may do while they act as a user: operations and pages that are not marked only show data."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])


class Impersonating(Enum):
    """What they may do besides reading.

    Attributes:
        WRITES: change what is not sensitive, if the setting IMPERSONATION_WRITES allows it.
        ENDS_IT: stop.
    """

    WRITES = "writes"
    ENDS_IT = "ends it"


def mark_impersonating(mark: Impersonating) -> Callable[[View], View]:
    """Open an operation or a page to members of staff who act as a user."""

    def decorate(view: View) -> View:
        view.open_to_impersonation = mark  # type: ignore[attr-defined]
        return view

    return decorate
