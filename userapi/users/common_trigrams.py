"""The trigrams that many users have, which searches leave out of what they look up in PostgreSQL's index.

The index has, for each trigram, the list of all users who have it. A search for a word reads the lists of all its
trigrams. The list of one that every fifth user has, as those of a common email provider, takes many milliseconds with
millions of users and excludes few of them. The other trigrams of the word find nearly the same users, and each of these
is compared with the whole word anyway.
"""

import re
import time
from collections import Counter
from collections.abc import Collection
from itertools import groupby
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from userapi.core.db import db, read_all, read_one

from .queries import users
from .search_index import POSTGRESQL_TEXT

TRIGRAM = 3

#: The part of all users who have a common trigram.
COMMON = 0.2

#: With fewer users than this, no list is long.
MIN_USERS = 500_000

#: The number of users among whom common trigrams are looked for, and for how many seconds they are remembered.
SAMPLE = 1000
MAX_AGE = 600

#: What gives a word a trigram in the index of PostgreSQL, which leaves out characters that are not alphanumeric.
INDEXED_CHARACTERS = re.compile(r"[^\W_]{2}")

#: Characters with a meaning in a pattern of LIKE, and what takes their place.
WILDCARD, ESCAPED = re.compile(r"[%_\\]"), r"\\\g<0>"

#: The common trigrams of a database, with the time until which they are remembered.
_known: WeakKeyDictionary[sa.Engine, tuple[float, frozenset[str]]] = WeakKeyDictionary()


def make_pattern(word: str) -> str:
    """The pattern of LIKE for texts that contain a word."""
    return f"%{WILDCARD.sub(ESCAPED, word)}%"


def make_rare_pattern(word: str) -> str:
    """The same without the common trigrams: every text that contains the word matches, and a few others.

    Characters that are in no rare trigram may be anything.
    """
    common = _read_common()
    kept = [False] * len(word)
    for start in range(len(word) - TRIGRAM + 1):
        trigram = word[start : start + TRIGRAM]
        if trigram not in common and INDEXED_CHARACTERS.search(trigram):
            kept[start : start + TRIGRAM] = [True] * TRIGRAM
    if not common or not any(kept):
        return make_pattern(word)
    parts = groupby(zip(word, kept, strict=True), lambda pair: pair[1])
    found = (WILDCARD.sub(ESCAPED, "".join(pair[0] for pair in pairs)) for is_kept, pairs in parts if is_kept)
    return f"%{'%'.join(found)}%"


def _read_common() -> frozenset[str]:
    """The common trigrams, from a sample of the users; none in a small database, and in SQLite."""
    if db.engine.dialect.name != "postgresql":
        return frozenset()
    expiry, common = _known.get(db.engine, (0.0, frozenset()))
    if time.monotonic() >= expiry:
        common = _find_common(_read_sample())
        _known[db.engine] = (time.monotonic() + MAX_AGE, common)
    return common


def _read_sample() -> list[str]:
    """The search texts of some users; of none in a small database."""
    known = read_one(sa.text("SELECT reltuples FROM pg_class WHERE oid = 'users'::regclass"))  # type: ignore[arg-type]
    number = known[0] if known else 0
    if number < MIN_USERS:
        return []
    some = users.tablesample(sa.func.system(min(100.0, 100.0 * SAMPLE / max(number, 1.0))), name="some")
    text = sa.literal_column(f"({POSTGRESQL_TEXT})", sa.Text())
    return [row[0] for row in read_all(sa.select(text).select_from(some))]


def _find_common(texts: Collection[str]) -> frozenset[str]:
    numbers: Counter[str] = Counter()
    for text in texts:
        numbers.update({text[start : start + TRIGRAM] for start in range(len(text) - TRIGRAM + 1)})
    return frozenset(trigram for trigram, number in numbers.items() if number >= COMMON * len(texts))
