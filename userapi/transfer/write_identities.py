"""Links the identities of imported users."""

from collections.abc import Sequence

from flask_babel import gettext as _

from userapi.federation import moving

from .batch import Batch, Candidate, ImportState


def link(candidates: Sequence[Candidate], batch: Batch, state: ImportState) -> None:
    """Link the identities that the file has, and note those that were not imported.

    Users who exist keep the identities that they have here.
    """
    usable = {}
    for candidate in candidates:
        if candidate.identities is None:
            continue
        if candidate.identities.unreadable:
            reasons = " ".join(candidate.identities.unreadable)
            note = _("Linked accounts that were not imported: %(reasons)s", reasons=reasons)
            batch.changes.append((candidate.position, str(note)))
        if candidate.identities.identities:
            usable[candidate.position] = candidate
    state.counts.with_identities += len(usable)
    if not usable or state.options.dry_run:
        return
    lacking = moving.insert({each.id: each.identities.identities for each in usable.values() if each.identities})
    note = str(_("A linked account was not imported: it is linked to another user."))
    batch.changes += [(position, note) for position, candidate in usable.items() if candidate.id in lacking]
