"""The options of an import, its counts, and the kinds of issues that it reports."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class OnConflict(StrEnum):
    """What an import does if a user with the email already exists."""

    SKIP = "skip"
    UPDATE = "update"
    FAIL = "fail"


class OnBadProfile(StrEnum):
    """What an import does if a field of a profile is invalid or missing (decision 0024)."""

    LEAVE_OUT_FIELD = "leave-out-field"
    REJECT_USER = "refuse-user"
    LEAVE_OUT_PROFILE = "leave-out-profile"


class IssueKind(StrEnum):
    """What happened to a record that was not imported as it is. Jobs and report files contain the values."""

    REJECTED = "refused"
    CHANGED = "altered"
    ALREADY_EXISTS = "there already"


#: Receives one issue: its kind, the place in the file, and the reason. Reasons are stored, so they contain no email
#: address: it would still be there after the account is deleted.
Reporter = Callable[[IssueKind, str, str], None]

#: The fields of `Counts` that the audit event does not have.
NOT_IN_EVENT = ("unknown_permissions", "event_id", "import_id", "waiting")


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import.

    Attributes:
        on_conflict: what to do with users who already exist.
        dry_run: only check the file and count.
        on_bad_profile: what to do with invalid profiles.
        with_passwords: import password hashes.
        confirmed: treat new email addresses as confirmed if the file does not say.
        with_factors: import second factors.
        drop_unreadable_factors: import users whose second factors cannot be used without a second step, instead of with
            a locked one.
    """

    on_conflict: OnConflict = OnConflict.SKIP
    dry_run: bool = False
    on_bad_profile: OnBadProfile = OnBadProfile.LEAVE_OUT_FIELD
    with_passwords: bool = True
    confirmed: bool = False
    with_factors: bool = True
    drop_unreadable_factors: bool = False

    @property
    def stops_at_first_issue(self) -> bool:
        """Whether all records are imported as they are, or none."""
        return self.on_conflict is OnConflict.FAIL and not self.dry_run


@dataclass
class Counts:
    """The progress of an import. An interrupted import continues from it.

    Attributes:
        with_factors: users whose second factors were imported.
        locked: those of them whose second step is locked, because no factor could be imported.
        with_identities: users whose accounts at other services were linked.
        import_id: the import that took over the file of this dry run.
        waiting: records that were read, but get their id when all ids of the file are known.
        event_id: the audit event that contains these numbers; None in a dry run.
    """

    read: int = 0
    made: int = 0
    updated: int = 0
    there_already: int = 0
    refused: int = 0
    altered: int = 0
    groups_made: int = 0
    with_factors: int = 0
    locked: int = 0
    with_identities: int = 0
    unknown_permissions: Counter[str] = field(default_factory=Counter)
    event_id: int | None = None
    import_id: int | None = None
    waiting: int = 0

    def add_issue(self, kind: IssueKind) -> None:
        """Count an issue."""
        match kind:
            case IssueKind.REJECTED:
                self.refused += 1
            case IssueKind.CHANGED:
                self.altered += 1
            case IssueKind.ALREADY_EXISTS:
                self.there_already += 1
