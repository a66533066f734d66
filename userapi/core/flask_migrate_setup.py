"""Flask-Migrate, with the migrations of extensions and for any path. Only `migrations` imports this."""

from pathlib import Path
from typing import Any

import flask_migrate

from . import migrations


class Migrate(flask_migrate.Migrate):
    """Flask-Migrate with the migrations of extensions, for any path: Alembic's files interpolate values after a %."""

    def get_config(self, directory: Any = None, x_arg: Any = None, opts: Any = None) -> Any:
        """The configuration of Alembic, from the `alembic.ini` of a folder of migrations."""
        folder = str(directory or self.directory)
        found = super().get_config(folder.replace("%", "%%"), x_arg, opts)  # finds no alembic.ini if there is a %
        config = flask_migrate.Config(str(Path(folder) / "alembic.ini"), cmd_opts=found.cmd_opts)
        config.set_main_option("script_location", folder.replace("%", "%%"))
        if migrations.get_branches():
            folders = "\n".join(map(str, migrations.get_folders()))
            config.set_main_option("path_separator", "newline")
            config.set_main_option("version_locations", folders.replace("%", "%%"))
        return config
