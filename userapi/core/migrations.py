"""Which migrations the database has, and which this code wants: our own, and a branch of each extension with tables.

Alembic is imported only when there is something to migrate or an extension has tables: it takes a fifteenth of the
processor time of a start, and 10 MiB.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from flask import Flask, current_app

from .db import AUTOCOMMIT, db, render_migration_type
from .folders import MIGRATIONS

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

#: Where Flask-Migrate stores its configuration.
FLASK_MIGRATE = "migrate"

#: Where an application stores the branches, and the migrations once they are read.
BRANCHES = "userapi-migration-branches"
SCRIPTS = "userapi-migrations"


class _Deferred:
    """Stands for Flask-Migrate's configuration of an application until something reads it."""

    def __init__(self, app: Flask, options: dict[str, Any]) -> None:
        self._app, self._options = app, options

    def __getattr__(self, name: str) -> Any:
        from .flask_migrate_setup import Migrate

        Migrate().init_app(self._app, db, str(MIGRATIONS), **self._options)  # replaces this object
        return getattr(self._app.extensions[FLASK_MIGRATE], name)


def configure(app: Flask, **options: Any) -> None:
    """Set up Flask-Migrate when it is first used, as by `flask db`.

    Args:
        app: the application, with settings.
        options: of Alembic's `EnvironmentContext.configure`.
    """
    options |= {"render_item": render_migration_type, "version_table": app.config["VERSION_TABLE"]}
    app.extensions[FLASK_MIGRATE] = _Deferred(app, options)


@dataclass(frozen=True)
class Branch:
    """The migrations of an extension.

    Attributes:
        name: of the extension: the label of the branch, and the beginning of the names of its tables.
        folder: of the migrations.
        metadata: its tables.
    """

    name: str
    folder: Path
    metadata: sa.MetaData

    def has_table(self, name: str) -> bool:
        """Whether a table belongs to this extension."""
        return name.startswith(f"{self.name}_")


def add_branch(app: Flask, branch: Branch) -> None:
    """Let Alembic run the migrations of an extension too."""
    app.extensions.setdefault(BRANCHES, {})[branch.name] = branch


def get_branches() -> dict[str, Branch]:
    """The branches of the extensions, by name."""
    found: dict[str, Branch] = current_app.extensions.get(BRANCHES, {})
    return found


def get_folders() -> list[Path]:
    """The folders of all migrations, ours first."""
    return [MIGRATIONS / "versions", *(branch.folder for branch in get_branches().values())]


def get_newest_known_revisions() -> tuple[str, ...]:
    """The newest migration of each branch that this code knows, ours among them."""
    if get_branches():
        return tuple(sorted(_scripts().get_heads()))
    return (_read_newest_file_name(),)


def list_unknown(present: Iterable[str]) -> list[str]:
    """Those of the given migrations that this code does not know."""
    if _are_newest(present := tuple(present)):
        return []
    known = {script.revision for script in _scripts().walk_revisions()}
    return sorted(set(present) - known)


def list_pending(present: Iterable[str]) -> list[str]:
    """The migrations that a database at known revisions still needs, in order; all of them at none."""
    if _are_newest(present := tuple(present)):
        return []
    scripts = _scripts().iterate_revisions("heads", present, implicit_base=True)
    return [script.revision for script in scripts][::-1]


def is_current() -> bool:
    """Whether the database has exactly the migrations that this code wants.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away.
    """
    present = get_database_revisions()
    return not list_unknown(present) and not list_pending(present)


def get_database_revisions() -> tuple[str, ...]:
    """The migrations that the database is at, one for each branch; none before the first.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away.
    """
    with db.engines[AUTOCOMMIT].connect() as connection:
        table = sa.table(current_app.config["VERSION_TABLE"], sa.column("version_num"))
        if not sa.inspect(connection).has_table(table.name):
            return ()
        return tuple(connection.scalars(sa.select(table.c.version_num).order_by(table.c.version_num)))


def _are_newest(present: tuple[str, ...]) -> bool:
    return set(present) == set(get_newest_known_revisions())


@cache
def _read_newest_file_name() -> str:
    """Our newest migration. Their files are named after them, in order; a test compares this with Alembic's result."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def _scripts() -> "ScriptDirectory":
    """The migrations of this code, which do not change while it runs."""
    from alembic.script import ScriptDirectory  # see above

    found: ScriptDirectory | None = current_app.extensions.get(SCRIPTS)
    if found is None:
        found = ScriptDirectory(str(MIGRATIONS), version_locations=[str(folder) for folder in get_folders()])
        current_app.extensions[SCRIPTS] = found
    return found
