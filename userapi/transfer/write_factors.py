"""Stores the second factors of imported users. No user loses the second step by moving (decision 0059)."""

from collections.abc import Sequence

from flask_babel import gettext as _

from userapi.mfa import moving_in

from . import queries
from .batch import Batch, Candidate, ImportState


def add_to_new_users(candidates: Sequence[Candidate], batch: Batch, state: ImportState) -> None:
    """Store the second factors of users who were just inserted; without those that the file has, nothing is done."""
    _insert([candidate for candidate in candidates if candidate.factors is not None], batch, state)


def add_to_existing_users(candidates: Sequence[Candidate], batch: Batch, state: ImportState) -> None:
    """Store the second factors of updated users who have none; their sessions end.

    Others keep what they have here, but codes that the other service has accepted are not accepted here.
    """
    factors = {candidate.id: candidate.factors.factors for candidate in candidates if candidate.factors is not None}
    if not factors:
        return
    kept = moving_in.find_users_with_factors(factors.keys())
    without = [candidate for candidate in candidates if candidate.id in factors.keys() - kept]
    added = _insert(without, batch, state)
    if state.options.dry_run:
        return
    moving_in.use_up_steps({user_id: factors[user_id] for user_id in kept})
    if added:
        queries.end_sessions([candidate.id for candidate in added])


def _insert(candidates: Sequence[Candidate], batch: Batch, state: ImportState) -> list[Candidate]:
    """Store second factors, and note what could not be imported; the users who have a second step now."""
    kept, factors = [], {}
    for candidate in candidates:
        assert candidate.factors is not None  # noqa: S101 - the callers select these
        found, reasons = candidate.factors.factors, " ".join(candidate.factors.unreadable)
        is_locked = found.is_on and not found.are_usable and not state.options.drop_unreadable_factors
        if found.are_usable or is_locked:
            kept.append(candidate)
            factors[candidate.id] = found
            state.counts.with_factors += 1
            state.counts.locked += is_locked
        if reasons or not found.are_usable:
            note = _describe(reasons, is_locked=is_locked, has_others=found.are_usable)
            batch.changes.append((candidate.position, note))
    if not state.options.dry_run:
        known = moving_in.insert(factors)
        state.counts.locked += len(known.locked)
        note = _("A passkey was not imported: another account has it.")
        batch.changes += [(candidate.position, note) for candidate in kept if candidate.id in known.owners]
    return kept


def _describe(reasons: str, *, is_locked: bool, has_others: bool) -> str:
    if is_locked:
        note = _("Imported with a locked second step: no second factor can be used. %(reasons)s", reasons=reasons)
    elif has_others:
        note = _("Second factors that were not imported: %(reasons)s", reasons=reasons)
    else:
        note = _("Imported without a second step. %(reasons)s", reasons=reasons)
    return str(note).rstrip()
