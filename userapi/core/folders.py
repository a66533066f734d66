"""Where the files of the service are, in a checkout and in a package that `pip` has installed."""

from pathlib import Path

#: The package: code, templates, translations.
PACKAGE = Path(__file__).resolve().parent.parent

#: Whether `pip` has installed it: in a checkout the migrations are not in the package but beside it.
IS_INSTALLED = (PACKAGE / "migrations").is_dir()

#: The migrations; `setup.cfg` puts those of the checkout into the package.
MIGRATIONS = (PACKAGE if IS_INSTALLED else PACKAGE.parent) / "migrations"


def default_instance() -> Path:
    """The folder of secrets and SQLite where USERAPI_INSTANCE is not set.

    It is in the checkout; nothing belongs beside an installed package, so there it is in the working directory.
    """
    return (Path.cwd() if IS_INSTALLED else PACKAGE.parent) / "instance"
