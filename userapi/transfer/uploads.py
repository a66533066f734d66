"""Encrypts uploaded files that contain second factors: a copy of the database must not contain any (decision 0051)."""

from userapi.mfa import data_key_rotation
from userapi.security import data_keys

PURPOSE = "import-file"

#: How a sealed file begins. No format that can be imported begins so.
SEALED = f"{data_keys.VERSION}.".encode()


def seal(content: bytes) -> bytes:
    """Encrypt a file, which is UTF-8.

    Raises:
        KeyFolderError: the folder of data keys cannot be used.
    """
    data_key_rotation.ensure_key()
    return data_keys.seal(content.decode(), PURPOSE, "").encode()


def open_if_sealed(stored: bytes) -> bytes:
    """The content of a file.

    Raises:
        DataKeyMissing: its key is not in the folder.
    """
    return data_keys.open_sealed(stored.decode(), PURPOSE, "").encode() if stored.startswith(SEALED) else stored
