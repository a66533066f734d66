"""The text of API keys: a prefix, 40 random characters, and a checksum of 6.

A key is one word, so that a double click selects it, and scanners for leaked secrets find it by its prefix. What is not
a key is rejected by its checksum, without a look into the database. The random part has 238 bits, so a digest needs no
slow hash.
"""

import hashlib
import secrets
import string
import zlib

from flask import current_app

from userapi.core import context

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 40
CHECKSUM_LENGTH = 6

#: How many characters of a key its owner sees later.
SHOWN_LENGTH = 4


def create_key() -> str:
    """Create the text of a key."""
    start: str = current_app.config["API_KEY_PREFIX"] + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return start + _checksum(start)


def looks_like_key(text: str) -> bool:
    """Whether a text begins as a key does; no JSON Web Token does."""
    return text.startswith(context.current_application().config["API_KEY_PREFIX"])


def is_well_formed(text: str) -> bool:
    """Whether a text has the form of a key, with the right checksum."""
    length = len(current_app.config["API_KEY_PREFIX"]) + RANDOM_LENGTH + CHECKSUM_LENGTH
    if not looks_like_key(text) or len(text) != length or not text.isascii():
        return False
    return text[-CHECKSUM_LENGTH:] == _checksum(text[:-CHECKSUM_LENGTH])


def hash_key(text: str) -> str:
    """The digest of a key, which is stored instead of it."""
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(start: str) -> str:
    """CRC-32 of the rest of a key, in base 62."""
    number, digits = zlib.crc32(start.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
