"""The import: records become users a batch at a time, and whoever cannot is named.

Each batch stands for itself: the door commits it, and an import that was broken off goes on when it is run again, for
who is there already is left alone. The address decides who is who.
"""

import itertools
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.core.db import db
from userapi.core.problems import Problem
from userapi.transfer import bulk_insert

from . import queries, writing
from .options import NOT_TOLD, Counts, Listener, Manner, OnConflict, Told
from .records import PASSWORD_HASH, Record
from .seen_keys import Seen, memory
from .validation import Refused, check, check_group
from .writing import Candidate

#: Records between two commits.
BATCH = 2000


class ImportStopped(Problem):
    """Something was in the way of an import that shall be whole or not at all."""


def bring_in(
    records: Iterable[Record], manner: Manner, tell: Listener, earlier: Counts | None = None
) -> Generator[Counts, None, None]:
    """Make users and groups of records, or change those there are.

    The door commits after each batch, or once at the end where all shall stand or fall together (`OnConflict.FAIL`).

    Args:
        records: what a reader gives; read as they are needed.
        manner: how.
        tell: hears of every record that is not taken as it is.
        earlier: how it stood when it broke off after a batch; what was done is then only remembered, not told again.

    Yields:
        How it stands, after each batch.

    Raises:
        ImportStopped: at the first record that is not taken as it is, where there may be none.
        LastSuperuser: nobody could administer the service any more.
    """
    with memory() as seen:
        batches = _batches(records)
        first = next(batches, [])  # a dump is read to its end for it, before a transaction begins
        under_way = _Import(seen, manner, tell, earlier or Counts())
        passed, done = 0, under_way.counts.read
        for batch in itertools.chain([first], batches):
            known = max(done - passed, 0)
            passed += len(batch)
            under_way.recall(batch[:known])
            under_way.take(list(under_way.candidates(batch[known:])))
            yield under_way.so_far()
        for batch in _batches(seen.kept()):
            under_way.take([under_way.candidate(record) for record in batch], give_ids=True)
            under_way.counts.waiting = max(under_way.counts.waiting - len(batch), 0)
            yield under_way.so_far()


class _Import:
    """One import under way."""

    def __init__(self, seen: Seen, manner: Manner, tell: Listener, counts: Counts) -> None:
        self.seen, self.manner, self.tell, self.counts = seen, manner, tell, counts
        self.group_ids = queries.group_ids()
        self.permission_ids = queries.permission_ids()
        if self.counts.event_id is None and not manner.dry_run:
            self.counts.event_id = audit_log.record("users.imported", changes=self._changes())

    def so_far(self) -> Counts:
        """Write the counts down, in the transaction of what they count."""
        if self.counts.event_id is not None:
            audit_log.amend(self.counts.event_id, self._changes())
            db.session.flush()
        return self.counts

    def _changes(self) -> dict[str, tuple[None, Any]]:
        """The numbers and the manner as the event has them: they name nobody."""
        numbers = {name: value for name, value in asdict(self.counts).items() if name not in NOT_TOLD}
        return {name: (None, value) for name, value in {**numbers, "on_conflict": str(self.manner.on_conflict)}.items()}

    # --- What an import that broke off has done -----------------------------------------------------------

    def recall(self, records: Sequence[Record]) -> None:
        """Remember the addresses and ids of records that were done; who waits for an id goes on waiting."""
        found = list(self._known(records))
        holders = queries.holders([each.email_key for each in found]) if found else {}
        for each in found:
            holder, user_id = holders.get(each.email_key), each.wanted.user_id
            if user_id is not None and (holder is None or holder.id == user_id):
                self.seen.is_new(user_id)
            if holder is None:
                self.seen.keep(each.record)

    def _known(self, records: Sequence[Record]) -> Iterator[Candidate]:
        for record in records:
            if record.error or ("group" in record.values and "email" not in record.values):
                continue
            try:
                found = self.candidate(record)
            except Refused:
                continue
            if self.seen.first_with(found.email_key, record) is None:
                yield found

    # --- One record after the other -----------------------------------------------------------------------

    def candidates(self, records: Sequence[Record]) -> Iterator[Candidate]:
        """Those records of users that break no rule, and whose address no earlier one has."""
        for record in records:
            self.counts.read += 1
            try:
                if record.error:
                    raise Refused(record.error)
                if "group" in record.values and "email" not in record.values:
                    self._make_group(*check_group(record.values))
                    continue
                found = self.candidate(record)
                earlier = self.seen.first_with(found.email_key, record)
                if earlier is not None:
                    raise Refused(_("Has the same email as %(place)s.", place=earlier))
            except Refused as error:
                self._refuse(record, str(error))
            else:
                yield found

    def candidate(self, record: Record) -> Candidate:
        """A record held against the rules.

        Raises:
            Refused: it breaks one.
        """
        values: Mapping[str, Any] = record.values
        values = values if self.manner.with_passwords else {**values, PASSWORD_HASH: None}
        return Candidate(record, check(values, self.manner.on_bad_profile))

    def _refuse(self, record: Record, reason: str) -> None:
        self._stop(record, reason)
        self.counts.refused += 1
        self.tell(Told.REFUSED, record.place, reason)

    def _alter(self, record: Record, what: str) -> None:
        self._stop(record, what)
        self.counts.altered += 1
        self.tell(Told.ALTERED, record.place, what)

    def _stop(self, record: Record, reason: str) -> None:
        if self.manner.on_conflict is OnConflict.FAIL and not self.manner.dry_run:
            raise ImportStopped(_("Nothing was imported: %(place)s: %(reason)s", place=record.place, reason=reason))

    # --- A batch at a time --------------------------------------------------------------------------------

    def take(self, found: Sequence[Candidate], *, give_ids: bool = False) -> None:
        """Write a batch: who is new is made, who is there is met as `on_conflict` says."""
        holders = queries.holders([each.email_key for each in found]) if found else {}
        there = [each._replace(id=holders[each.email_key].id) for each in found if each.email_key in holders]
        if self.manner.on_conflict is OnConflict.UPDATE:
            self._update(there, holders)
        else:
            for each in there:
                told = _("User %(id)s already has this email.", id=each.id)
                self._stop(each.record, told)
                self.counts.there_already += 1
                self.tell(Told.THERE_ALREADY, each.record.place, told)
        self._make([each for each in found if each.email_key not in holders], give_ids)

    def _make(self, found: Sequence[Candidate], give_ids: bool) -> None:
        ready = self._with_new_ids(found) if give_ids else list(self._with_own_ids(found))
        if self.manner.dry_run:
            made = ready
        else:
            ids = writing.make(ready, confirmed=self.manner.confirmed)
            made = [each for each in ready if each.id in ids]
            for each in ready:
                if each.id not in ids:
                    self._refuse(
                        each.record, _("Another user got this email or ID during the import. Import the file again.")
                    )
        self.counts.made += len(made)
        self._tell_of_alterations(made)
        self._give_rights(made)

    def _with_own_ids(self, found: Sequence[Candidate]) -> Iterator[Candidate]:
        """Those whose id is free; who must get another waits until every id of the file is known."""
        asked = [each.wanted.user_id for each in found if each.wanted.user_id is not None]
        used = queries.used_ids(asked) if asked else set()
        if asked and not self.manner.dry_run:
            bulk_insert.pass_over(max(asked))
        without = []
        for each in found:
            user_id = each.wanted.user_id
            if user_id is not None and self.seen.is_new(user_id) and user_id not in used:
                yield each._replace(id=user_id)
            elif user_id is None and not self.seen.has_ids:
                without.append(each)
            else:
                self.counts.waiting += 1
                self.seen.keep(each.record)
        yield from self._with_new_ids(without)

    def _with_new_ids(self, found: Sequence[Candidate]) -> list[Candidate]:
        ids = [0] * len(found) if self.manner.dry_run or not found else bulk_insert.new_ids(len(found))
        for each, new_id in zip(found, ids, strict=True):
            if each.wanted.user_id is not None:
                told = _("The ID %(old)s is already in use.", old=each.wanted.user_id)
                new = f" {_('The user gets the ID %(new)s instead.', new=new_id)}" if new_id else ""
                self._alter(each.record, told + new)
        return [each._replace(id=new_id) for each, new_id in zip(found, ids, strict=True)]

    def _update(self, there: Sequence[Candidate], holders: Mapping[str, Any]) -> None:
        self.counts.updated += len(there)
        self._tell_of_alterations(there)
        if there and not self.manner.dry_run:
            writing.update(there, holders)
        self._give_rights(there, instead=True)

    def _tell_of_alterations(self, found: Sequence[Candidate]) -> None:
        for each in found:
            if each.wanted.altered:
                self._alter(each.record, each.wanted.altered)

    # --- Groups and permissions ---------------------------------------------------------------------------

    def _make_group(self, name: str, codenames: Sequence[str]) -> int:
        """The id of a group, which is made with these permissions if there is none; else it stays as it is."""
        if name not in self.group_ids:
            self.group_ids |= queries.group_ids()  # one may have been made since
        if name not in self.group_ids:
            self.counts.groups_made += 1
            self.group_ids[name] = 0 if self.manner.dry_run else writing.make_group(name, self._permissions(codenames))
        return self.group_ids[name]

    def _groups(self, names: Sequence[str]) -> list[int]:
        return [self._make_group(name, ()) for name in names]

    def _permissions(self, codenames: Sequence[str]) -> list[int]:
        unknown = [codename for codename in codenames if codename not in self.permission_ids]
        self.counts.unknown_permissions.update(unknown)
        return [self.permission_ids[codename] for codename in codenames if codename in self.permission_ids]

    def _give_rights(self, found: Sequence[Candidate], *, instead: bool = False) -> None:
        groups = {each.id: self._groups(each.wanted.groups) for each in found if each.wanted.groups is not None}
        own = {
            each.id: self._permissions(each.wanted.permissions) for each in found if each.wanted.permissions is not None
        }
        if not self.manner.dry_run:
            writing.give_rights("groups", groups, instead=instead)
            writing.give_rights("permissions", own, instead=instead)


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    waiting = iter(records)
    while batch := list(itertools.islice(waiting, BATCH)):
        yield batch
