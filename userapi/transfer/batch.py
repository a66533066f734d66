"""What the steps of an import work on: the batch itself, and what all batches of the import share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask_babel import gettext as _

from .factor_validation import FileFactors
from .identity_validation import FileIdentities
from .options import Counts, ImportOptions, IssueKind, OnConflict, Reporter
from .records import Record
from .seen_keys import SeenKeys
from .validation import ImportedUser


@dataclass
class ImportState:
    """What the batches of one import share.

    Attributes:
        options: the options of the import.
        reporter: receives every issue.
        counts: the progress so far.
        seen: the email addresses and ids of earlier records.
        group_ids: the ids of all groups, by name.
        permission_ids: the ids of all permissions, by codename.
    """

    options: ImportOptions
    reporter: Reporter
    counts: Counts
    seen: SeenKeys
    group_ids: dict[str, int]
    permission_ids: dict[str, int]


class Candidate(NamedTuple):
    """A valid user of a batch.

    Attributes:
        position: the position of the record in the batch, from 0.
        user: what the file says about the user.
        id: the id of the existing or new user; 0 until it is known.
        factors: the second factors that the file has, or None.
        identities: the identities that the file has, or None.
    """

    position: int
    user: ImportedUser
    id: int = 0
    factors: FileFactors | None = None
    identities: FileIdentities | None = None

    @property
    def email_key(self) -> str:
        """The normal form of the email address."""
        return str(self.user.columns["email_key"])

    @property
    def own_values(self) -> Mapping[str, Any]:
        """The values of own fields that the file has, by name."""
        return (self.user.profile or {}).get("extra") or {}


@dataclass
class Batch:
    """Some records, and the results of the steps so far. Positions are those of `records`, from 0.

    It is false without records.

    Attributes:
        records: what was read from the file.
        needs_new_ids: whether the records were deferred, to get a new id; otherwise they are read for the first time.
        groups: names of valid groups, with the codenames of their permissions.
        candidates: valid users.
        rejections: the reasons why records are rejected, by position.
        users_by_email: the rows of the users who already have one of the email addresses, by email key.
        existing: the candidates that already exist, with their ids.
        new: the candidates to insert, with their ids; after `write`, those that were inserted.
        changes: positions, and how the user differs from the record.
    """

    records: list[Record]
    needs_new_ids: bool = False
    groups: list[tuple[str, list[str]]] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    rejections: dict[int, str] = field(default_factory=dict)
    users_by_email: Mapping[str, sa.Row[Any]] = field(default_factory=dict)
    existing: list[Candidate] = field(default_factory=list)
    new: list[Candidate] = field(default_factory=list)
    changes: list[tuple[int, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records)


def find_issues(batch: Batch, options: ImportOptions) -> Iterator[tuple[IssueKind, str, str]]:
    """The issues of a batch, in the form that a `Reporter` takes."""
    for position in sorted(batch.rejections):
        yield IssueKind.REJECTED, batch.records[position].place, batch.rejections[position]
    if options.on_conflict is not OnConflict.UPDATE:
        for candidate in batch.existing:
            reason = _("User %(id)s already has this email.", id=candidate.id)
            yield IssueKind.ALREADY_EXISTS, batch.records[candidate.position].place, reason
    for position, change in batch.changes:
        yield IssueKind.CHANGED, batch.records[position].place, change
