"""Which migration the database is at, and which one this code wants."""

from functools import cache

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from .db import AUTOCOMMIT, db
from .folders import MIGRATIONS


def get_newest_known_revision() -> str | None:
    """The newest migration that this code knows."""
    return _scripts().get_current_head()


def knows_revision(revision: str) -> bool:
    """Whether this code knows a migration."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def list_revisions_after(revision: str | None) -> list[str]:
    """The migrations that this code knows behind one, in order; all of them behind None."""
    scripts = _scripts()
    return [script.revision for script in scripts.iterate_revisions(scripts.get_current_head(), revision)][::-1]


def get_database_revision() -> str | None:
    """The migration that the database is at; None before the first.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away.
    """
    with db.engines[AUTOCOMMIT].connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return revision


@cache
def _scripts() -> ScriptDirectory:
    """The migrations of this code, which do not change while it runs."""
    return ScriptDirectory(str(MIGRATIONS))
