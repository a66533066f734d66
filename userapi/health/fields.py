"""The check of the search keys of own profile fields."""

from collections.abc import Iterator

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from userapi.users import field_key_queries
from userapi.users.declaration import get_declaration

from .findings import Finding, ok, warning

PART = "profile fields"


def checks(is_database_usable: bool) -> Iterator[Finding]:
    """Whether search keys are complete; nothing if the declaration has no field with keys.

    Args:
        is_database_usable: otherwise the result is "unknown".
    """
    keyed = get_declaration().keyed
    if not keyed:
        return
    try:
        complete = field_key_queries.list_complete(keyed) if is_database_usable else None
    except sa.exc.SQLAlchemyError:
        complete = None
    if complete is None:
        text = "unknown: the database is not responding or needs a migration."
        yield warning(PART, text, "unknown", _("Unknown."))
    elif incomplete := sorted(set(keyed) - complete):
        commands = " and ".join(f"`flask fields reindex {name}`" for name in incomplete)
        yield warning(
            PART,
            f"the search keys of {', '.join(incomplete)} are incomplete, so filters by them are rejected, and values "
            f"from before may not be unique. Run {commands} when all hosts have this declaration.",
            "incomplete",
            _("Users cannot be filtered by %(names)s yet.", names=", ".join(incomplete)),
        )
    else:
        yield ok(PART, "the search keys are complete", _("Users can be filtered by profile fields."))
