"""Password hashes that others made: those of Django, bcrypt, and argon2 of any cost.

They are kept as they came and checked until their owner next signs in. What one costs is bounded, for whoever knows an
address can have it computed at will: none takes much longer than a second.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import bcrypt
from argon2.exceptions import VerificationError
from argon2.low_level import Type, verify_secret
from flask_babel import gettext as _
from flask_babel import lazy_gettext

#: Twice what Django 6 writes, and a little; Django raises it with each release.
MAXIMUM_PBKDF2_ROUNDS = 3_000_000

#: bcrypt itself begins at 4; Django writes 12.
MINIMUM_BCRYPT_COST = 4
MAXIMUM_BCRYPT_COST = 14

#: KiB for one argon2 hash, KiB times passes, and lanes; Django writes 102,400, twice as many, and 8.
MAXIMUM_ARGON2_MEMORY = 256 * 1024
MAXIMUM_ARGON2_WORK = 512 * 1024
MAXIMUM_ARGON2_LANES = 16

#: What argon2 needs at least for each lane, in KiB; and the versions that there are: 1.0, as old hashes that name none,
#: and 1.3.
MINIMUM_ARGON2_MEMORY_PER_LANE = 8
ARGON2_VERSIONS = ("", "16", "19")

#: With blocks of this size, the smallest, scrypt takes an N only below the other (RFC 7914, section 6).
SMALLEST_SCRYPT_BLOCK, SCRYPT_N_OF_SMALLEST = 1, 2**16

#: Bytes for one scrypt hash, and N · r · p; Django writes 16 MiB and 5 · 2¹⁷, OWASP advises 128 MiB and 2²⁰.
MAXIMUM_SCRYPT_MEMORY = 128 * 1024 * 1024
MAXIMUM_SCRYPT_WORK = 2**20

#: bcrypt looks at no more of a password; the library refuses more.
BCRYPT_LENGTH = 72


class UnusableHash(ValueError):
    """A hash of no known kind, a damaged one, or one that would cost too much; the text never has any of it."""


class ForeignHash(NamedTuple):
    """A hash, taken apart.

    Attributes:
        kind: as `pbkdf2_sha256`.
        cost: in words.
        matches: whether a password, as bytes, is the one that was hashed.
    """

    kind: str
    cost: str
    matches: Callable[[bytes], bool]


def read(stored: str) -> ForeignHash:
    """Take a hash apart.

    Args:
        stored: in Django's notation (`pbkdf2_sha256$rounds$salt$base64`), or beginning with `$argon2` or `$2b$`.

    Raises:
        UnusableHash: saying why.
    """
    for pattern, reader in READERS:
        found = pattern.fullmatch(stored)
        if found is not None:
            return reader(**found.groupdict())
    raise UnusableHash(_("Unknown or damaged password hash."))


def _pbkdf2(kind: str, rounds: str, salt: str, digest: str) -> ForeignHash:
    algorithm, expected = kind.removeprefix("pbkdf2_"), _bytes(digest)
    if len(expected) != hashlib.new(algorithm).digest_size:
        raise UnusableHash(_("Damaged password hash."))
    count = _bounded(rounds, MAXIMUM_PBKDF2_ROUNDS)

    def matches(password: bytes) -> bool:
        return hmac.compare_digest(hashlib.pbkdf2_hmac(algorithm, password, salt.encode(), count), expected)

    return ForeignHash(kind, lazy_gettext("%(number)s rounds", number=f"{count:,}"), matches)


def _scrypt(n: str, salt: str, r: str, p: str, digest: str) -> ForeignHash:
    count, block, lanes, expected = int(n), int(r), int(p), _bytes(digest)
    memory = 128 * block * (count + 2 + lanes)
    if count < 2 or count & (count - 1) or block < 1 or lanes < 1 or len(expected) < 16:
        raise UnusableHash(_("Damaged password hash."))
    if block == SMALLEST_SCRYPT_BLOCK and count >= SCRYPT_N_OF_SMALLEST:
        raise UnusableHash(_("Damaged password hash."))
    if 128 * count * block > MAXIMUM_SCRYPT_MEMORY or count * block * lanes > MAXIMUM_SCRYPT_WORK:
        raise UnusableHash(_("This password hash would take too long to check."))

    def matches(password: bytes) -> bool:
        found = hashlib.scrypt(
            password, salt=salt.encode(), n=count, r=block, p=lanes, maxmem=memory + 2**20, dklen=len(expected)
        )
        return hmac.compare_digest(found, expected)

    return ForeignHash(
        "scrypt",
        lazy_gettext("%(memory)s MiB, %(lanes)s lane(s)", memory=f"{128 * count * block / 2**20:g}", lanes=lanes),
        matches,
    )


def _bcrypt(kind: str | None, encoded: str, cost: str) -> ForeignHash:
    rounds = _bounded(cost, MAXIMUM_BCRYPT_COST, MINIMUM_BCRYPT_COST)

    def matches(password: bytes) -> bool:
        if kind == "bcrypt_sha256":
            password = binascii.hexlify(hashlib.sha256(password).digest())
        return bcrypt.checkpw(password[:BCRYPT_LENGTH], encoded.encode())

    return ForeignHash(kind or "bcrypt", lazy_gettext("cost %(number)s", number=rounds), matches)


def _argon2(
    encoded: str, kind: str, version: str | None, memory: str, passes: str, lanes: str, salt: str, digest: str
) -> ForeignHash:
    kib, count, width = int(memory), int(passes), int(lanes)
    if (version or "") not in ARGON2_VERSIONS or kib < MINIMUM_ARGON2_MEMORY_PER_LANE * width:
        raise UnusableHash(_("Damaged password hash."))
    for part in (salt, digest):  # argon2 takes no other spelling of the same bytes
        if base64.b64encode(_bytes(part + "=" * (-len(part) % 4))).decode().rstrip("=") != part:
            raise UnusableHash(_("Damaged password hash."))
    if kib > MAXIMUM_ARGON2_MEMORY or kib * count > MAXIMUM_ARGON2_WORK or width > MAXIMUM_ARGON2_LANES:
        raise UnusableHash(_("This password hash would take too long to check."))
    return ForeignHash(
        f"argon2{kind}",
        lazy_gettext(
            "%(memory)s MiB, %(passes)s passes, %(lanes)s lane(s)", memory=f"{kib / 1024:g}", passes=count, lanes=width
        ),
        partial(_is_argon2, encoded.encode(), Type[kind.upper()]),
    )


def _is_argon2(encoded: bytes, kind: Type, password: bytes) -> bool:
    try:
        return verify_secret(encoded, password, kind)
    except VerificationError:
        return False


def _bytes(digest: str) -> bytes:
    try:
        return base64.b64decode(digest, validate=True)
    except ValueError as error:  # other than ASCII, too
        raise UnusableHash(_("Damaged password hash.")) from error


def _bounded(text: str, maximum: int, minimum: int = 1) -> int:
    number = int(text)
    if number < minimum:
        raise UnusableHash(_("Damaged password hash."))
    if number > maximum:
        raise UnusableHash(_("This password hash would take too long to check."))
    return number


# Of 22 and 31 characters of bcrypt's base64 the last one has bits to spare, which bcrypt wants to be 0.
BCRYPT = r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
ARGON2 = (
    r"\$argon2(?P<kind>id|i|d)(?:\$v=(?P<version>\d{1,3}))?"
    r"\$m=(?P<memory>[1-9]\d{0,9}),t=(?P<passes>[1-9]\d{0,9}),p=(?P<lanes>[1-9]\d{0,9})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,})\$(?P<digest>[A-Za-z0-9+/]{22,})"
)
READERS: tuple[tuple[re.Pattern[str], Callable[..., ForeignHash]], ...] = tuple(
    (re.compile(pattern, re.ASCII), reader)
    for pattern, reader in (
        (r"(?P<kind>pbkdf2_(?:sha256|sha1))\$(?P<rounds>\d{1,15})\$(?P<salt>[^$]+)\$(?P<digest>[^$]+)", _pbkdf2),
        (r"scrypt\$(?P<n>\d{1,9})\$(?P<salt>[^$]+)\$(?P<r>\d{1,9})\$(?P<p>\d{1,9})\$(?P<digest>[^$]+)", _scrypt),
        (rf"(?:(?P<kind>bcrypt|bcrypt_sha256)\$)?(?P<encoded>{BCRYPT})", _bcrypt),
        (rf"(?:argon2)?(?P<encoded>{ARGON2})", _argon2),
    )
)
