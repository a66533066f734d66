"""Where settings come from: the environment, the file `.env` and files with one value each."""

import codecs
import io
import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from environs import Env

from . import folders

#: How text files begin that Windows tools write in UTF-16.
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class ConfigurationError(Exception):
    """The environment holds a value the service must not start with; the text names it."""


class Settings(Env):
    """environs over a mapping, so that tests and tools need not change `os.environ`.

    A variable without a value counts as not set, as Compose files hand over what is not set where they run.

    Args:
        values: variable names to texts.
        old_names: the name of a setting to the name that it had before, which is still read.

    Attributes:
        names: the settings that were read.
        names_in_use: the name of a setting to the old name, where that is set.
    """

    def __init__(self, values: Mapping[str, str], old_names: Mapping[str, str] | None = None) -> None:
        super().__init__(eager=False)
        # Without a secret an empty one is checked: that error says what to do.
        self._source = {"SECRET_KEY": ""} | {name: value for name, value in values.items() if value.strip()}
        self.names: set[str] = set()
        self._old_names = old_names or {}
        self.names_in_use: dict[str, str] = {}

    @property
    def instance(self) -> Path:
        """The folder of what the first start creates, and every later start and command finds again."""
        return Path(self.str("USERAPI_INSTANCE", "") or folders.default_instance()).absolute()

    @property
    def secret_file(self) -> Path:
        """The SECRET_KEY of the first start."""
        return self.instance / "secret_key"

    @property
    def last_site_url_file(self) -> Path:
        """The SITE_URL of the last start, so that commands of a shell that does not set it use the same."""
        return self.instance / "last_site_url.txt"

    def _get_value(self, env_key: str, default: Any) -> Any:
        self.names.add(env_key)
        if env_key in self._old_names and not {env_key, f"{env_key}_FILE"} & self._source.keys():
            old_key = self._old_names[env_key]
            if {old_key, f"{old_key}_FILE"} & self._source.keys():
                self.names_in_use[env_key] = old_key
                env_key = old_key
        path = self._source.get(f"{env_key}_FILE")
        if path is not None:
            return read_setting_file(Path(path), f"{env_key}_FILE").strip()
        value = self._source.get(env_key, default)
        if isinstance(value, str) and not _is_text(value):
            raise ConfigurationError(f"{env_key}: Must be UTF-8 text.")
        return value


def read_environment(path: Path = Path(".env")) -> dict[str, str]:
    """The process environment over the lines of a `.env` file.

    Raises:
        ConfigurationError: the file is not UTF-8 text or cannot be read.
    """
    lines = read_setting_file(path, str(path)) if path.is_file() else ""
    from_file = {name: value for name, value in dotenv_values(stream=io.StringIO(lines)).items() if value is not None}
    return {**from_file, **os.environ}


def read_setting_file(path: Path, setting: str) -> str:
    """A UTF-8 file's text, without a byte order mark.

    Raises:
        ConfigurationError: naming the setting.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting}: Cannot read {path}: {error.strerror}") from error
    if content.startswith(UTF_16):
        raise ConfigurationError(f"{setting}: {path} is UTF-16. Save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{setting}: {path} is not UTF-8 text. Save it as UTF-8.") from error


def path_exists(path: Path, alternatives: str) -> bool:
    """Whether a file is there.

    Args:
        path: the file.
        alternatives: settings that make it unnecessary.

    Raises:
        ConfigurationError: its folder is closed to this user.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigurationError(describe_unusable_folder(path.parent, error, alternatives)) from error
    return True


def describe_unusable_folder(folder: Path, error: OSError, alternatives: str) -> str:
    """Return one line about a folder that this process cannot use, with its owner if that is another user."""
    owner = ""
    with suppress(OSError, KeyError):
        number = folder.stat().st_uid
        owner = pwd.getpwuid(number).pw_name if number != os.geteuid() else ""
    reason = f"{error.strerror}, owned by {owner}" if owner else error.strerror
    return f"{folder}: {reason}. Make it a folder that this user can read and write, or set {alternatives}."


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # the environment held other bytes than UTF-8
        return False
    return True
