"""Verifies password hashes of other kinds: Django's, bcrypt, and argon2 of any cost.

They stay as they were imported until their owner next signs in. The cost of each is limited to about one second,
because anyone who knows an email address can make the service compute its hash.
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
from flask_babel import lazy_gettext, lazy_ngettext

#: A bit more than twice the rounds of Django 6; Django raises its number with each release.
MAX_PBKDF2_ROUNDS = 3_000_000

#: The minimum of bcrypt itself is 4; Django uses 12.
MIN_BCRYPT_COST = 4
MAX_BCRYPT_COST = 14

#: Memory for one argon2 hash in KiB, memory times passes, and lanes; Django uses 102,400, twice as many, and 8.
MAX_ARGON2_MEMORY = 256 * 1024
MAX_ARGON2_COST = 512 * 1024
MAX_ARGON2_LANES = 16

#: The minimum of argon2 for each lane, in KiB; and the known versions: 1.0, of old hashes that name none, and 1.3.
MIN_ARGON2_MEMORY_PER_LANE = 8
ARGON2_VERSIONS = ("", "16", "19")

#: With the smallest block size, scrypt accepts only an N below 2**16 (RFC 7914, section 6).
MIN_SCRYPT_BLOCK, MAX_SCRYPT_N_OF_MIN_BLOCK = 1, 2**16

#: Memory for one scrypt hash in bytes, and N · r · p; Django uses 16 MiB and 5 · 2¹⁷, OWASP recommends 128 MiB and 2²⁰.
MAX_SCRYPT_MEMORY = 128 * 1024 * 1024
MAX_SCRYPT_COST = 2**20

#: bcrypt uses only the first 72 bytes of a password; the library raises an error for longer ones.
MAX_BCRYPT_LENGTH = 72


class UnusableHash(ValueError):
    """A hash that is unknown, damaged or would take too long. The text never contains any part of the hash."""


class LegacyHash(NamedTuple):
    """A parsed hash.

    Attributes:
        kind: the algorithm, such as `pbkdf2_sha256`.
        cost: the cost in words, for staff.
        matches: returns whether a password, as bytes, is the one that was hashed.
    """

    kind: str
    cost: str
    matches: Callable[[bytes], bool]


def parse_legacy_hash(stored: str) -> LegacyHash:
    """Parse a hash.

    Args:
        stored: in Django's notation (`pbkdf2_sha256$rounds$salt$base64`), or beginning with `$argon2` or `$2b$`.

    Raises:
        UnusableHash: with the reason.
    """
    for pattern, parser in PARSERS:
        found = pattern.fullmatch(stored)
        if found is not None:
            return parser(**found.groupdict())
    raise UnusableHash(_("Unknown or damaged password hash."))


def _parse_pbkdf2(kind: str, rounds: str, salt: str, digest: str) -> LegacyHash:
    algorithm, expected = kind.removeprefix("pbkdf2_"), _decode_digest(digest)
    if len(expected) != hashlib.new(algorithm).digest_size:
        raise UnusableHash(_("Damaged password hash."))
    count = _bounded_number(rounds, MAX_PBKDF2_ROUNDS)

    def matches(password: bytes) -> bool:
        return hmac.compare_digest(hashlib.pbkdf2_hmac(algorithm, password, salt.encode(), count), expected)

    return LegacyHash(kind, lazy_ngettext("%(number)s round", "%(number)s rounds", count, number=f"{count:,}"), matches)


def _parse_scrypt(n: str, salt: str, r: str, p: str, digest: str) -> LegacyHash:
    count, block, lanes, expected = int(n), int(r), int(p), _decode_digest(digest)
    memory = 128 * block * (count + 2 + lanes)
    if count < 2 or count & (count - 1) or block < 1 or lanes < 1 or len(expected) < 16:
        raise UnusableHash(_("Damaged password hash."))
    if block == MIN_SCRYPT_BLOCK and count >= MAX_SCRYPT_N_OF_MIN_BLOCK:
        raise UnusableHash(_("Damaged password hash."))
    if 128 * count * block > MAX_SCRYPT_MEMORY or count * block * lanes > MAX_SCRYPT_COST:
        raise UnusableHash(_("This password hash would take too long to check."))

    def matches(password: bytes) -> bool:
        found = hashlib.scrypt(
            password, salt=salt.encode(), n=count, r=block, p=lanes, maxmem=memory + 2**20, dklen=len(expected)
        )
        return hmac.compare_digest(found, expected)

    return LegacyHash(
        "scrypt",
        lazy_gettext("%(memory)s MiB, lanes: %(lanes)s", memory=f"{128 * count * block / 2**20:g}", lanes=lanes),
        matches,
    )


def _parse_bcrypt(kind: str | None, encoded: str, cost: str) -> LegacyHash:
    rounds = _bounded_number(cost, MAX_BCRYPT_COST, MIN_BCRYPT_COST)

    def matches(password: bytes) -> bool:
        if kind == "bcrypt_sha256":
            password = binascii.hexlify(hashlib.sha256(password).digest())
        return bcrypt.checkpw(password[:MAX_BCRYPT_LENGTH], encoded.encode())

    return LegacyHash(kind or "bcrypt", lazy_gettext("cost %(number)s", number=rounds), matches)


def _parse_argon2(
    encoded: str, kind: str, version: str | None, memory: str, passes: str, lanes: str, salt: str, digest: str
) -> LegacyHash:
    kib, count, width = int(memory), int(passes), int(lanes)
    if (version or "") not in ARGON2_VERSIONS or kib < MIN_ARGON2_MEMORY_PER_LANE * width:
        raise UnusableHash(_("Damaged password hash."))
    for part in (salt, digest):  # argon2 accepts only the canonical base64 of the bytes
        if base64.b64encode(_decode_digest(part + "=" * (-len(part) % 4))).decode().rstrip("=") != part:
            raise UnusableHash(_("Damaged password hash."))
    if kib > MAX_ARGON2_MEMORY or kib * count > MAX_ARGON2_COST or width > MAX_ARGON2_LANES:
        raise UnusableHash(_("This password hash would take too long to check."))
    return LegacyHash(
        f"argon2{kind}",
        lazy_gettext(
            "%(memory)s MiB, passes: %(passes)s, lanes: %(lanes)s", memory=f"{kib / 1024:g}", passes=count, lanes=width
        ),
        partial(_matches_argon2, encoded.encode(), Type[kind.upper()]),
    )


def _matches_argon2(encoded: bytes, kind: Type, password: bytes) -> bool:
    try:
        return verify_secret(encoded, password, kind)
    except VerificationError:
        return False


def _decode_digest(digest: str) -> bytes:
    try:
        return base64.b64decode(digest, validate=True)
    except ValueError as error:  # also raised for text that is not ASCII
        raise UnusableHash(_("Damaged password hash.")) from error


def _bounded_number(text: str, maximum: int, minimum: int = 1) -> int:
    number = int(text)
    if number < minimum:
        raise UnusableHash(_("Damaged password hash."))
    if number > maximum:
        raise UnusableHash(_("This password hash would take too long to check."))
    return number


# The last of 22 or 31 characters of bcrypt's base64 has spare bits, which bcrypt requires to be 0.
BCRYPT_PATTERN = r"\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]"
ARGON2_PATTERN = (
    r"\$argon2(?P<kind>id|i|d)(?:\$v=(?P<version>\d{1,3}))?"
    r"\$m=(?P<memory>[1-9]\d{0,9}),t=(?P<passes>[1-9]\d{0,9}),p=(?P<lanes>[1-9]\d{0,9})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,})\$(?P<digest>[A-Za-z0-9+/]{22,})"
)
PARSERS: tuple[tuple[re.Pattern[str], Callable[..., LegacyHash]], ...] = tuple(
    (re.compile(pattern, re.ASCII), parser)
    for pattern, parser in (
        (r"(?P<kind>pbkdf2_(?:sha256|sha1))\$(?P<rounds>\d{1,15})\$(?P<salt>[^$]+)\$(?P<digest>[^$]+)", _parse_pbkdf2),
        (r"scrypt\$(?P<n>\d{1,9})\$(?P<salt>[^$]+)\$(?P<r>\d{1,9})\$(?P<p>\d{1,9})\$(?P<digest>[^$]+)", _parse_scrypt),
        (rf"(?:(?P<kind>bcrypt|bcrypt_sha256)\$)?(?P<encoded>{BCRYPT_PATTERN})", _parse_bcrypt),
        (rf"(?:argon2)?(?P<encoded>{ARGON2_PATTERN})", _parse_argon2),
    )
)
