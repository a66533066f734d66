"""Reads the records of an import and checks them, a batch at a time."""

from collections.abc import Iterable, Mapping
from typing import Any

from userapi.users.declaration import get_declaration

from .batch import Batch, Candidate
from .factor_validation import FileFactors, validate_factors
from .identity_validation import FileIdentities, validate_identities
from .options import ImportOptions
from .profile_validation import get_profile_rules
from .records import IDENTITIES, PASSWORD_HASH, SECOND_FACTORS, Record
from .validation import RecordRejected, validate_group, validate_user


class BatchReader:
    """Reads batches. While the database stores one, a part of the next can be read: see `read_ahead`.

    Args:
        records: from a reader; each is read when it is needed.
        options: the options of the import.
        needs_new_ids: of the batches.
    """

    def __init__(self, records: Iterable[Record], options: ImportOptions, *, needs_new_ids: bool = False) -> None:
        self.records, self.options, self.needs_new_ids = iter(records), options, needs_new_ids
        self.profile_rules = get_profile_rules()
        # The check of an application may need the database.
        self.reads_ahead = all(field.check is None for field in get_declaration().fields)
        self.next_batch = Batch([], needs_new_ids)
        self.size = 0
        self.error: Exception | None = None

    def read(self, size: int) -> Batch:
        """The next batch; with fewer records at the end of the file, and without any after it.

        Raises:
            UnreadableFile: the file as a whole cannot be read.
        """
        self.size = size
        while self.error is None and len(self.next_batch.records) < size:
            self._read_one()
        if self.error is not None and not isinstance(self.error, StopIteration):
            raise self.error
        batch, self.next_batch = self.next_batch, Batch([], self.needs_new_ids)
        return batch

    def read_ahead(self) -> None:
        """Read one record of the next batch, without the database. An error is raised when the batch is needed."""
        if self.reads_ahead and self.error is None and len(self.next_batch.records) < self.size:
            self._read_one()

    def _read_one(self) -> None:
        try:
            self._check(next(self.records))
        except Exception as error:
            self.error = error

    def _check(self, record: Record) -> None:
        """Add a record to the next batch: to its `groups`, `candidates` or `rejections`."""
        batch, options, position = self.next_batch, self.options, len(self.next_batch.records)
        batch.records.append(record)
        values = record.values if options.with_passwords else {**record.values, PASSWORD_HASH: None}
        try:
            if record.error:
                raise RecordRejected(record.error)
            if "group" in values and "email" not in values:
                batch.groups.append(validate_group(record.values))
            else:
                user = validate_user(values, options.on_bad_profile, self.profile_rules)
                factors, identities = _validate_factors(values, options), _validate_identities(values)
                batch.candidates.append(Candidate(position, user, 0, factors, identities))
        except RecordRejected as error:
            batch.rejections[position] = str(error)


def _validate_factors(values: Mapping[str, Any], options: ImportOptions) -> FileFactors | None:
    found = values.get(SECOND_FACTORS)
    return validate_factors(found) if options.with_factors and found is not None else None


def _validate_identities(values: Mapping[str, Any]) -> FileIdentities | None:
    found = values.get(IDENTITIES)
    return None if found is None else validate_identities(found)
