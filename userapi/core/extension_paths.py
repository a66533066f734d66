"""Imports the extensions that the setting EXTENSIONS names; nothing else makes the service import a module by name."""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from .environment import ConfigurationError

SETTING = "EXTENSIONS"


def load_all(paths: Iterable[str]) -> list[Any]:
    """The extensions at these paths.

    Args:
        paths: as `shop.accounts:extension`: a module, and a name in it.

    Raises:
        ConfigurationError: with one line that names the path.
    """
    return [_load(path.strip()) for path in paths if path.strip()]


def _load(path: str) -> Any:
    module, _colon, name = path.partition(":")
    if not module or not name.isidentifier():
        raise ConfigurationError(f"{SETTING}: {path}: Not a module and a name, such as shop.accounts:extension.")
    try:
        return getattr(import_module(module), name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{SETTING}: {path}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever the module raises while it is imported
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"{SETTING}: {path}: {type(error).__name__}: {reason}") from error
