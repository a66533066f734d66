"""The import: it turns records into users, a batch at a time.

A `BatchReader` reads and checks the records. Then each batch passes through four functions: `dedupe`, `resolve_ids`,
`write` and `report`. The caller commits each batch. An interrupted import can be run again: users that already exist
are skipped. The email address identifies a user.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core.db import db
from userapi.core.problems import Problem
from userapi.transfer import bulk_insert

from . import queries, unique_values, write_factors, write_identities, write_users
from .batch import Batch, Candidate, ImportState, find_issues
from .batch_reader import BatchReader
from .memberships import get_or_create_group, write_memberships
from .options import NOT_IN_EVENT, Counts, ImportOptions, OnConflict, Reporter
from .records import Record
from .seen_keys import SeenKeys, open_seen_keys

#: Records between two commits.
BATCH_SIZE = 2000


class ImportStopped(Problem):
    """An all-or-nothing import found an issue."""


def import_records(
    records: Iterable[Record], options: ImportOptions, reporter: Reporter, earlier: Counts | None = None
) -> Generator[Counts, None, None]:
    """Create users and groups from records, or update existing users.

    The caller commits after each batch, or once at the end of an all-or-nothing import (`OnConflict.FAIL`).

    Args:
        records: from a reader; a batch is read when it is needed.
        options: the options of the import.
        reporter: receives an issue for every record that is not imported as it is.
        earlier: the counts after the last batch that was committed before an interruption. The records of these batches
            are read, but neither written nor reported again.

    Yields:
        The counts, after each batch.

    Raises:
        ImportStopped: an all-or-nothing import found an issue.
        LastSuperuser: the import would leave no active superuser.
    """
    with open_seen_keys() as seen:
        reader, done = BatchReader(records, options), 0 if earlier is None else earlier.read
        # This reads all of a dump, so do it before a transaction begins.
        batch = reader.read(min(done, BATCH_SIZE) or BATCH_SIZE)
        state = _start(options, reporter, earlier or Counts(), seen)
        while done > 0 and batch.records:
            restore_seen_keys(batch, state)
            done -= len(batch.records)
            yield state.counts
            batch = reader.read(min(done, BATCH_SIZE) or BATCH_SIZE)
        process(batch, state, reader)
        yield state.counts
        for each in (reader, BatchReader(seen.deferred_records(), options, needs_new_ids=True)):
            while batch := each.read(BATCH_SIZE):
                process(batch, state, each)
                yield state.counts


def process(batch: Batch, state: ImportState, reader: BatchReader) -> None:
    """Import one batch."""
    dedupe(batch, state.seen)
    resolve_ids(batch, state)
    write(batch, state, reader)
    report(batch, state)


def restore_seen_keys(batch: Batch, state: ImportState) -> None:
    """Add email addresses and IDs to `state.seen`, for records that were imported before an interruption."""
    dedupe(batch, state.seen)
    users_by_email, kept = _find_users_by_email(batch.candidates), []
    for candidate in batch.candidates:
        existing_user, user_id = users_by_email.get(candidate.email_key), candidate.user.user_id
        if user_id is not None and (existing_user is None or existing_user.id == user_id):
            kept.append((user_id, batch.records[candidate.position].number))
        if existing_user is None:
            state.seen.add_deferred(batch.records[candidate.position])
    state.seen.add_ids(kept)
    state.seen.has_ids |= bool(kept)


# --- The four steps after reading -------------------------------------------------------------------------


def dedupe(batch: Batch, seen: SeenKeys) -> None:
    """Reject the candidates whose email address an earlier record has: changes `candidates` and `rejections`."""
    if batch.needs_new_ids:
        return  # already done before these records were deferred
    records = batch.records
    earlier = seen.add_emails([(candidate.email_key, records[candidate.position]) for candidate in batch.candidates])
    if earlier:
        for index, place in earlier.items():
            batch.rejections[batch.candidates[index].position] = _("Has the same email as %(place)s.", place=place)
        batch.candidates = [each for index, each in enumerate(batch.candidates) if index not in earlier]


def resolve_ids(batch: Batch, state: ImportState) -> None:
    """Find the users that exist, and an id for each of the others: fills `users_by_email`, `existing` and `new`.

    New users keep the id that they have in the file. If it is in use, the record is deferred until all ids of the file
    are known, so that a new id is never the id of another record.
    """
    batch.users_by_email = _find_users_by_email(batch.candidates)
    missing = []
    for candidate in batch.candidates:
        existing_user = batch.users_by_email.get(candidate.email_key)
        if existing_user is None:
            missing.append(candidate)
        else:
            batch.existing.append(candidate._replace(id=existing_user.id))
    without_id = missing if batch.needs_new_ids else _keep_ids(missing, batch, state)
    _assign_new_ids(without_id, batch, state.options)


def write(batch: Batch, state: ImportState, reader: BatchReader) -> None:
    """Create groups and users, and update existing users if requested. A dry run only counts.

    While the database inserts users, the next batch is read.

    Raises:
        ImportStopped: an all-or-nothing import found an issue.
        LastSuperuser: the import would leave no active superuser.
    """
    _stop_at_first_issue(batch, state.options)
    options, counts = state.options, state.counts
    for name, codenames in batch.groups:
        get_or_create_group(name, codenames, state)
    if options.dry_run:
        if options.on_conflict is OnConflict.UPDATE:
            batch.existing = unique_values.reject_in_dry_run(batch.existing, batch, state)
        batch.new = unique_values.reject_in_dry_run(batch.new, batch, state)
    if options.on_conflict is OnConflict.UPDATE:
        if batch.existing and not options.dry_run:
            batch.existing = write_users.update_users(batch.existing, batch)
        counts.updated += len(batch.existing)
        write_memberships(batch.existing, state, replace=True)
        write_factors.add_to_existing_users(batch.existing, batch, state)
        write_identities.link(batch.existing, batch, state)
        _note_changes(batch.existing, batch)
    if not options.dry_run:
        _insert_users(batch, reader, confirmed=options.confirmed)
    counts.made += len(batch.new)
    write_memberships(batch.new, state)
    write_factors.add_to_new_users(batch.new, batch, state)
    write_identities.link(batch.new, batch, state)
    _note_changes(batch.new, batch)


def report(batch: Batch, state: ImportState) -> None:
    """Report the issues, and store the counts in the audit event, in the transaction of the batch.

    Raises:
        ImportStopped: an all-or-nothing import found an issue.
    """
    _stop_at_first_issue(batch, state.options)
    counts = state.counts
    for kind, place, reason in find_issues(batch, state.options):
        counts.add_issue(kind)
        state.reporter(kind, place, reason)
    if batch.needs_new_ids:
        counts.waiting = max(counts.waiting - len(batch.records), 0)
    else:
        counts.read += len(batch.records)
    if counts.event_id is not None:
        audit_log.amend(counts.event_id, _event_changes(state))
        db.session.flush()


# --- Helpers of the steps, in the same order --------------------------------------------------------------


def _start(options: ImportOptions, reporter: Reporter, counts: Counts, seen: SeenKeys) -> ImportState:
    state = ImportState(options, reporter, counts, seen, queries.group_ids(), queries.permission_ids())
    if counts.event_id is None and not options.dry_run:
        counts.event_id = audit_log.record("users.imported", changes=_event_changes(state))
    return state


def _event_changes(state: ImportState) -> dict[str, tuple[None, Any]]:
    """The counts and options for the audit event. None of them identifies a user."""
    facts = {name: value for name, value in asdict(state.counts).items() if name not in NOT_IN_EVENT}
    facts["on_conflict"] = str(state.options.on_conflict)
    return {name: (None, value) for name, value in facts.items()}


def _find_users_by_email(candidates: Sequence[Candidate]) -> Mapping[str, sa.Row[Any]]:
    return queries.users_by_email([candidate.email_key for candidate in candidates]) if candidates else {}


def _keep_ids(candidates: Sequence[Candidate], batch: Batch, state: ImportState) -> list[Candidate]:
    """Add the candidates with a free id to `new`, defer those whose ID is in use, and return those without an id."""
    file_ids = [candidate.user.user_id for candidate in candidates if candidate.user.user_id is not None]
    highest = bulk_insert.highest_used_id() if file_ids else 0
    doubtful = [user_id for user_id in file_ids if user_id <= highest]
    used = queries.used_ids(doubtful) if doubtful else set()
    if file_ids and not state.options.dry_run:
        bulk_insert.reserve_ids(max(file_ids))
    records = batch.records
    numbered = [
        (each.user.user_id, records[each.position].number) for each in candidates if each.user.user_id is not None
    ]
    repeated = state.seen.add_ids(numbered)
    without_id = []
    for candidate in candidates:
        user_id = candidate.user.user_id
        state.seen.has_ids |= user_id is not None
        if user_id is not None and user_id not in used and records[candidate.position].number not in repeated:
            batch.new.append(candidate._replace(id=user_id))
        elif user_id is None and not state.seen.has_ids:
            without_id.append(candidate)
        else:
            state.seen.add_deferred(batch.records[candidate.position])
            state.counts.waiting += 1
    return without_id


def _assign_new_ids(candidates: Sequence[Candidate], batch: Batch, options: ImportOptions) -> None:
    """Add candidates to `new` with an id that no user ever had; a dry run reserves no IDs."""
    new_ids = [0] * len(candidates) if options.dry_run or not candidates else bulk_insert.new_ids(len(candidates))
    for candidate, new_id in zip(candidates, new_ids, strict=True):
        batch.new.append(candidate._replace(id=new_id))
        if candidate.user.user_id is not None:
            change = _("The ID %(old)s is already in use.", old=candidate.user.user_id)
            if new_id:
                change += " " + _("The user gets the ID %(new)s instead.", new=new_id)
            batch.changes.append((candidate.position, change))


def _insert_users(batch: Batch, reader: BatchReader, *, confirmed: bool) -> None:
    """Insert the new users. Another transaction may have taken an email address or id since `resolve_ids`."""
    inserted, taken = write_users.insert_users(batch.new, reader.read_ahead, confirmed=confirmed)
    batch.new = unique_values.reject_taken(batch.new, taken, batch)
    for candidate in batch.new:
        if candidate.id not in inserted:
            reason = _("Another user got this email or ID during the import. Import the file again.")
            batch.rejections[candidate.position] = reason
    batch.new = [candidate for candidate in batch.new if candidate.id in inserted]


def _note_changes(candidates: Sequence[Candidate], batch: Batch) -> None:
    batch.changes += [
        (candidate.position, candidate.user.left_out) for candidate in candidates if candidate.user.left_out
    ]


def _stop_at_first_issue(batch: Batch, options: ImportOptions) -> None:
    if options.stops_at_first_issue:
        for _kind, place, reason in find_issues(batch, options):
            raise ImportStopped(_("Nothing was imported: %(place)s: %(reason)s", place=place, reason=reason))
