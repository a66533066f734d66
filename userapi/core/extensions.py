"""The libraries' objects that more than one room needs; the factory calls what each needs to start."""

from pathlib import Path
from typing import Any

import flask_migrate


class Migrate(flask_migrate.Migrate):
    """Flask-Migrate, which fails where the path of the checkout has a % in it: Alembic's files interpolate values."""

    def get_config(self, directory: Any = None, x_arg: Any = None, opts: Any = None) -> Any:
        """The configuration of Alembic, from the `alembic.ini` of a folder of migrations."""
        folder = str(directory or self.directory)
        if "%" not in folder:
            return super().get_config(directory, x_arg, opts)
        found = super().get_config(folder.replace("%", "%%"), x_arg, opts)  # finds no alembic.ini there
        config = flask_migrate.Config(str(Path(folder) / "alembic.ini"), cmd_opts=found.cmd_opts)
        config.set_main_option("script_location", folder.replace("%", "%%"))
        return config


migrate = Migrate()
