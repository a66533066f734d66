"""How an import is asked for, how it stands, and what it has to say."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class OnConflict(StrEnum):
    """What becomes of a user whose address is there already."""

    SKIP = "skip"
    UPDATE = "update"
    FAIL = "fail"


class OnBadProfile(StrEnum):
    """What becomes of a user whose profile has a field that is wrong or missing."""

    LEAVE_OUT_FIELD = "leave-out-field"
    REFUSE_USER = "refuse-user"
    LEAVE_OUT_PROFILE = "leave-out-profile"


class Told(StrEnum):
    """What an import has to say of a record."""

    REFUSED = "refused"
    ALTERED = "altered"
    THERE_ALREADY = "there already"


#: Takes what there is to say: about what, where in the file, and why. It is stored, so it names no email, which would
#: stay when the account is deleted.
Listener = Callable[[Told, str, str], None]

#: Of the counts, what the event does not have.
NOT_TOLD = ("unknown_permissions", "event_id", "import_id", "waiting")


@dataclass(frozen=True)
class Manner:
    """How to import.

    Attributes:
        on_conflict: see there.
        dry_run: whether only to look.
        on_bad_profile: see there.
        with_passwords: whether hashes are taken.
        confirmed: whether new addresses count as confirmed of which the file says nothing.
    """

    on_conflict: OnConflict = OnConflict.SKIP
    dry_run: bool = False
    on_bad_profile: OnBadProfile = OnBadProfile.LEAVE_OUT_FIELD
    with_passwords: bool = True
    confirmed: bool = False


@dataclass
class Counts:
    """How an import stands; from it, one that broke off can go on.

    Attributes:
        import_id: of the import that took the file of this dry run.
        waiting: records that are read, but wait for an id until the end of the file; of the others is known what became
            of them.
        event_id: of the event in the audit trail that has these numbers; None in a dry run.
    """

    read: int = 0
    made: int = 0
    updated: int = 0
    there_already: int = 0
    refused: int = 0
    altered: int = 0
    groups_made: int = 0
    unknown_permissions: Counter[str] = field(default_factory=Counter)
    event_id: int | None = None
    import_id: int | None = None
    waiting: int = 0
