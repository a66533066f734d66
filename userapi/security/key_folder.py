"""Folders of keys: a file for each key, named after the UTC time of its creation. The newest key is for new data.

A worker reads the folder again when something names an unknown key, so keys that another worker has created work
immediately and without a restart.
"""

import logging
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Generic, Protocol, TypeVar

from userapi.core import clock

log = logging.getLogger(__name__)

#: The minimum number of seconds between two reads of the folder, regardless of how many unknown keys are named.
MIN_RELOAD_SECONDS = 1.0

#: The folder is read again after this many seconds, so that deleted keys stop working.
CACHE_SECONDS = 30.0


class KeyFolderError(Exception):
    """The key folder cannot be used; the text says why and what to do."""


class Key(Protocol):
    """What every kind of key has.

    Attributes:
        kid: the key id.
        name: the file name without its extension.
    """

    @property
    def kid(self) -> str: ...

    @property
    def name(self) -> str: ...


AnyKey = TypeVar("AnyKey", bound=Key)


class KeyFolder(ABC, Generic[AnyKey]):
    """The keys of a folder.

    Args:
        folder: where the files are.
    """

    #: The setting that names the folder, the command that creates a key, and the extension of its files.
    setting: ClassVar[str]
    rotate_command: ClassVar[str]
    extension: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._keys: Mapping[str, AnyKey] = {}
        self._read_at = float("-inf")

    @abstractmethod
    def generate(self) -> bytes:
        """Return the content of the file of a new key."""

    @abstractmethod
    def load(self, name: str, content: bytes) -> AnyKey:
        """Return the key in a file.

        Raises:
            KeyFolderError: the file does not contain one.
        """

    def all(self) -> list[AnyKey]:
        """Return all keys, newest first.

        Raises:
            KeyFolderError: the folder cannot be read or contains other files.
        """
        return list(self._load_if_older(CACHE_SECONDS).values())

    def newest(self) -> AnyKey:
        """Return the key for new data.

        Raises:
            KeyFolderError: there is no key.
        """
        keys = self.all() or list(self._load_if_older(0).values())
        if not keys:
            raise KeyFolderError(
                f"{self.setting}: There is no key in {self.folder}. To create one, run `{self.rotate_command}`."
            )
        return keys[0]

    def find(self, kid: object) -> AnyKey | None:
        """Return the key with an id; read the folder again if the id is unknown."""
        if not isinstance(kid, str):
            return None
        return self._load_if_older(CACHE_SECONDS).get(kid) or self._load_if_older(MIN_RELOAD_SECONDS).get(kid)

    def add(self) -> AnyKey:
        """Create a key and use it for new data from now on.

        Raises:
            KeyFolderError: the folder cannot be written.
        """
        key = self.prepare()
        self.publish(key)
        return key

    def prepare(self) -> AnyKey:
        """Create a key that no worker reads before `publish`; only the owner of its file can read it.

        Raises:
            KeyFolderError: the folder cannot be written.
        """
        content = self.generate()
        name = clock.now().strftime("%Y%m%dT%H%M%S%fZ")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial = self.folder / f".{name}.new"
            descriptor = os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError as error:
            raise self._cannot_write(error) from error
        return self.load(name, content)

    def publish(self, key: AnyKey) -> None:
        """Use a prepared key for new data from now on.

        Raises:
            KeyFolderError: the folder cannot be written.
        """
        try:
            (self.folder / f".{key.name}.new").rename(self._path(key.name))
        except OSError as error:
            raise self._cannot_write(error) from error
        self._load_if_older(0)

    def created_at(self, key: AnyKey) -> datetime:
        """Return when a key was created, from the time of its file.

        Raises:
            OSError: the file does not exist.
        """
        return datetime.fromtimestamp(self._path(key.name).stat().st_mtime, UTC)

    def remove(self, name: str) -> None:
        """Delete a key. Other workers accept it for at most `CACHE_SECONDS` longer.

        Raises:
            KeyFolderError: the folder cannot be written.
        """
        try:
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise self._cannot_write(error) from error
        self._load_if_older(0)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.{self.extension}"

    def _cannot_write(self, error: OSError) -> KeyFolderError:
        return KeyFolderError(f"{self.setting}: Cannot write to {self.folder}: {error.strerror}")

    def _load_if_older(self, age: float) -> Mapping[str, AnyKey]:
        if time.monotonic() - self._read_at >= age:
            with self._lock:
                self._keys = self._reload()
                self._read_at = time.monotonic()
        return self._keys

    def _reload(self) -> Mapping[str, AnyKey]:
        """Read the folder; keep the loaded keys if it cannot be read or a file is incomplete."""
        try:
            return {key.kid: key for key in self._read_folder()}
        except KeyFolderError as problem:
            if not self._keys:
                raise
            log.error("key folder unusable, using the keys loaded before", extra={"error": str(problem)})
            return self._keys

    def _read_folder(self) -> list[AnyKey]:
        try:
            paths = sorted(self.folder.glob(f"*.{self.extension}"), reverse=True)
            return [self.load(path.stem, path.read_bytes()) for path in paths]
        except OSError as error:
            raise KeyFolderError(f"{self.setting}: Cannot read {error.filename}: {error.strerror}") from error
