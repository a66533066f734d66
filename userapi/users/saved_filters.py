"""Filters of the user list that staff members save for themselves. They are deleted with their account."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote_plus

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.core.db import db, read_all
from userapi.core.problems import NotFound, ValidationFailed
from userapi.http.fields import has_visible_character, trim_text

from . import queries
from .models import SavedFilter

saved_filters = SavedFilter.__table__

#: Filters that one staff member can save.
MAX_FILTERS = 20

MAX_NAME_LENGTH = 60

#: Replaces the email address of a deleted user in a name.
REMOVED = "…"


def list_saved(user_id: int) -> Sequence[sa.Row[Any]]:
    """The saved filters of a staff member (`id`, `name`, `query`), ordered by name."""
    found = read_all(
        sa.select(saved_filters.c.id, saved_filters.c.name, saved_filters.c.query).where(
            saved_filters.c.user_id == user_id
        )
    )
    return sorted(found, key=lambda saved: (saved.name.casefold(), saved.id))


def save(user_id: int, name: str, query: str) -> SavedFilter:
    """Save a filter, in place of one with the same name.

    Args:
        user_id: whose filter it is.
        name: at most `MAX_NAME_LENGTH` characters.
        query: a valid query string of the list, without a search: the text may be the name or email of a user who is
            deleted later.

    Raises:
        ValidationFailed: the name is empty or too long, or there are `MAX_FILTERS` others.
    """
    name = trim_text(name)
    if not has_visible_character(name):
        raise ValidationFailed(errors={"name": [_("Enter a name for the filter.")]})
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise ValidationFailed(
            errors={
                "name": [
                    ngettext(
                        "Use at most %(num)s character, without line breaks.",
                        "Use at most %(num)s characters, without line breaks.",
                        MAX_NAME_LENGTH,
                    )
                ]
            }
        )
    queries.lock_user(user_id)  # so that two requests cannot both add the last one
    found = db.session.scalars(sa.select(SavedFilter).where(SavedFilter.user_id == user_id)).all()
    saved = next((one for one in found if one.name == name), None)
    if saved is None:
        if len(found) >= MAX_FILTERS:
            raise ValidationFailed(
                errors={
                    "name": [
                        ngettext(
                            "You can save at most %(num)s filter. Delete one first.",
                            "You can save at most %(num)s filters. Delete one first.",
                            MAX_FILTERS,
                        )
                    ]
                }
            )
        saved = SavedFilter(user_id=user_id, name=name)
        db.session.add(saved)
    saved.query = query
    db.session.flush()
    return saved


def delete(user_id: int, filter_id: int) -> None:
    """Delete a saved filter of a staff member.

    Raises:
        NotFound: they have no such filter.
    """
    deletion = sa.delete(SavedFilter).where(SavedFilter.id == filter_id, SavedFilter.user_id == user_id)
    if db.session.scalar(deletion.returning(SavedFilter.id)) is None:
        raise NotFound(_("You have no saved filter with this ID."))


def remove_address(email: str) -> None:
    """Remove the email address of a user who is deleted from the saved filters of all staff.

    Staff may have put it into a name, where it is replaced; a filter with a search for it, as earlier versions saved
    them, is deleted.
    """
    word = email.lower()
    query = sa.func.lower(saved_filters.c.query)
    has_search = sa.or_(*(query.contains(text, autoescape=True) for text in (word, quote_plus(word).lower())))
    db.session.execute(sa.delete(SavedFilter).where(has_search).execution_options(synchronize_session=False))
    names = sa.func.lower(saved_filters.c.name)
    # Not where it is only a part of another address, such as jo.ann@example.com.
    whole = rf"(?<![^\W_])(?<![^\W_][.+_-]){re.escape(email)}(?![^\W_])(?![.-][^\W_])"
    for saved in db.session.scalars(sa.select(SavedFilter).where(names.contains(word, autoescape=True))):
        saved.name = re.sub(whole, REMOVED, saved.name, flags=re.IGNORECASE)
