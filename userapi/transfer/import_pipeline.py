"""The import: it turns records into users, a batch at a time.

Each batch passes through five functions: `validate`, `dedupe`, `resolve_ids`, `write` and `report`. The caller commits
each batch. An interrupted import can be run again: users that already exist are skipped. The email address identifies a
user.
"""

import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core.db import db
from userapi.core.problems import Problem
from userapi.transfer import bulk_insert

from . import queries, write_factors, write_users
from .batch import Batch, Candidate, ImportState, find_issues
from .factor_validation import FileFactors, validate_factors
from .memberships import get_or_create_group, write_memberships
from .options import NOT_IN_EVENT, Counts, ImportOptions, OnConflict, Reporter
from .records import PASSWORD_HASH, SECOND_FACTORS, Record
from .seen_keys import SeenKeys, open_seen_keys
from .validation import RecordRejected, validate_group, validate_user

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
        batches = _split_into_batches(records)
        first = next(batches, [])  # reads all of a dump, so do it before a transaction begins
        state = _start(options, reporter, earlier or Counts(), seen)
        position, done = 0, state.counts.read
        for batch in itertools.chain([first], batches):
            done_in_batch = max(done - position, 0)
            position += len(batch)
            restore_seen_keys(Batch(batch[:done_in_batch]), state)
            process(Batch(batch[done_in_batch:]), state)
            yield state.counts
        for batch in _split_into_batches(seen.deferred_records()):
            process(Batch(batch, needs_new_ids=True), state)
            yield state.counts


def process(batch: Batch, state: ImportState) -> None:
    """Import one batch."""
    validate(batch, state.options)
    dedupe(batch, state.seen)
    resolve_ids(batch, state)
    write(batch, state)
    report(batch, state)


def restore_seen_keys(batch: Batch, state: ImportState) -> None:
    """Add email addresses and IDs to `state.seen`, for records that were imported before an interruption."""
    validate(batch, state.options)
    dedupe(batch, state.seen)
    users_by_email = _find_users_by_email(batch.candidates)
    for candidate in batch.candidates:
        existing_user, user_id = users_by_email.get(candidate.email_key), candidate.user.user_id
        if user_id is not None and (existing_user is None or existing_user.id == user_id):
            state.seen.add_id(user_id)
        if existing_user is None:
            state.seen.add_deferred(batch.records[candidate.position])


# --- The five steps ---------------------------------------------------------------------------------------


def validate(batch: Batch, options: ImportOptions) -> None:
    """Check every record: fills `groups`, `candidates` and `rejections`."""
    for position, record in enumerate(batch.records):
        values = record.values if options.with_passwords else {**record.values, PASSWORD_HASH: None}
        try:
            if record.error:
                raise RecordRejected(record.error)
            if "group" in values and "email" not in values:
                batch.groups.append(validate_group(record.values))
            else:
                user = validate_user(values, options.on_bad_profile)
                batch.candidates.append(Candidate(position, user, factors=_validate_factors(values, options)))
        except RecordRejected as error:
            batch.rejections[position] = str(error)


def dedupe(batch: Batch, seen: SeenKeys) -> None:
    """Reject the candidates whose email address an earlier record has: changes `candidates` and `rejections`."""
    if batch.needs_new_ids:
        return  # already done before these records were deferred
    first_with_email = []
    for candidate in batch.candidates:
        earlier = seen.add_email(candidate.email_key, batch.records[candidate.position])
        if earlier is None:
            first_with_email.append(candidate)
        else:
            batch.rejections[candidate.position] = _("Has the same email as %(place)s.", place=earlier)
    batch.candidates = first_with_email


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


def write(batch: Batch, state: ImportState) -> None:
    """Create groups and users, and update existing users if requested. A dry run only counts.

    Raises:
        ImportStopped: an all-or-nothing import found an issue.
        LastSuperuser: the import would leave no active superuser.
    """
    _stop_at_first_issue(batch, state.options)
    options, counts = state.options, state.counts
    for name, codenames in batch.groups:
        get_or_create_group(name, codenames, state)
    if options.on_conflict is OnConflict.UPDATE:
        counts.updated += len(batch.existing)
        if batch.existing and not options.dry_run:
            write_users.update_users(batch.existing, batch.users_by_email)
        write_memberships(batch.existing, state, replace=True)
        write_factors.add_to_existing_users(batch.existing, batch, state)
        _note_changes(batch.existing, batch)
    if not options.dry_run:
        _insert_users(batch, confirmed=options.confirmed)
    counts.made += len(batch.new)
    write_memberships(batch.new, state)
    write_factors.add_to_new_users(batch.new, batch, state)
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


def _validate_factors(values: Mapping[str, Any], options: ImportOptions) -> FileFactors | None:
    found = values.get(SECOND_FACTORS)
    return validate_factors(found) if options.with_factors and found is not None else None


def _split_into_batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while batch := list(itertools.islice(iterator, BATCH_SIZE)):
        yield batch


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
    used = queries.used_ids(file_ids) if file_ids else set()
    if file_ids and not state.options.dry_run:
        bulk_insert.reserve_ids(max(file_ids))
    without_id = []
    for candidate in candidates:
        user_id = candidate.user.user_id
        if user_id is not None and state.seen.add_id(user_id) and user_id not in used:
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


def _insert_users(batch: Batch, *, confirmed: bool) -> None:
    """Insert the new users. Another transaction may have taken an email address or id since `resolve_ids`."""
    inserted = write_users.insert_users(batch.new, confirmed=confirmed)
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
