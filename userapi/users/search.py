"""Search: how the words of a text find users, and which plan finds them quickly.

A word matches if it is contained in a searched key; one that is too short for the index must be the beginning of a key.
All words must match, or the whole text must be the beginning of an own profile field (decision 0075). There are two
plans, and the wrong one reads a million rows: the index collects all matches and sorts them, which is quick for rare
texts; reading the list in its order until a page is full is quick for common ones.
"""

import unicodedata
from enum import Enum, auto
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from userapi.core import explain
from userapi.core.db import db, read_one

from . import search_index
from .common_trigrams import INDEXED_CHARACTERS, TRIGRAM, make_pattern, make_rare_pattern
from .declaration import get_declaration
from .field_definition import MAX_KEY_LENGTH, Find, Search
from .field_key_queries import keys, states
from .fields import USER_FIELDS
from .queries import users
from .search_index import POSTGRESQL_TEXT, TABLE

#: Sorts after every other character, on both databases.
LAST_CHARACTER = "\U0010ffff"

#: Words looked at in a search; more would only cost.
MAX_WORDS = 8

#: Digits of a number that fits into a column of both databases.
MAX_ID_DIGITS = 18

#: Matches up to which the index is the quicker plan, in rows of each database.
MAX_INDEXED = {"postgresql": 5_000, "sqlite": 10_000}

#: The fields that each search looks at; one of staff also finds a user by the id.
SEARCHED = {
    "search": tuple(f"{field.name}_key" for field in USER_FIELDS if field.search is Search.EVERYWHERE),
    "staff_search": tuple(f"{field.name}_key" for field in USER_FIELDS if field.search is not Search.NOWHERE),
}

trigrams = sa.table(TABLE, sa.column("rowid", sa.Integer), sa.column(TABLE, sa.Text))
HAS_TRIGRAMS = trigrams.c[TABLE].match(sa.bindparam("word_trigrams", type_=sa.Text()))
INDEXED_TEXT: Any = sa.literal_column(f"({POSTGRESQL_TEXT})", sa.Text())


class contains(sa.sql.functions.GenericFunction[int]):  # noqa: N801 - the name of a function in SQL
    """Where a text first contains another, from 1 on, or 0. Neither database has an index for it."""

    type = sa.Integer()
    inherit_cache = True


@compiles(contains, "postgresql")
def _strpos(element: contains, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


@compiles(contains, "sqlite")
def _instr(element: contains, compiler: Any, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


class Plan(Enum):
    """How to find the rows."""

    INDEX = auto()  # collect all matches in the search index, before the rest is planned
    MATCHES = auto()  # the same where only matches are read, whatever the order of the list
    SCAN = auto()  # compare row after row in the order of the list
    BEGINNINGS = auto()  # leave it to the database, whose other indexes serve beginnings


class Word(NamedTuple):
    """What the condition of a word depends on.

    Attributes:
        is_contained: whether it may be anywhere in a key; otherwise it is the beginning.
        is_id: whether it may be the id.
    """

    is_contained: bool
    is_id: bool


class Question(NamedTuple):
    """What the conditions of a search depend on; the rest are parameters.

    Attributes:
        kind: a key of `SEARCHED`.
        words: in their order.
        plan: the quicker one.
        dialect: of the database, whose index it is.
        own_fields: the names of the own profile fields whose values may begin with the text.
    """

    kind: str
    words: tuple[Word, ...]
    plan: Plan
    dialect: str
    own_fields: tuple[str, ...] = ()

    @property
    def is_common(self) -> bool:
        """Whether an index would have too many matches."""
        return self.plan is Plan.SCAN

    @property
    def with_index(self) -> "Question":
        """The same for a plan that collects all matches."""
        has_candidates = any(word.is_contained for word in self.words)
        return self._replace(plan=Plan.INDEX if has_candidates else Plan.BEGINNINGS)

    @property
    def is_indexed(self) -> bool:
        """Whether the search index collects all matches."""
        return self.plan is Plan.INDEX

    @property
    def with_matches(self) -> "Question":
        """The same for a statement that reads all matches, not in the order of the list."""
        return self._replace(plan=Plan.MATCHES)


def read_question(kind: str, text: str) -> Question | None:
    """What a text asks for, with the quicker plan; None if it has no words."""
    texts = split_words(text)
    if not texts:
        return None
    indexed = any(map(_is_long, texts)) and search_index.is_available()
    words = tuple(Word(indexed and _is_long(word), kind == "staff_search" and _id(word) is not None) for word in texts)
    own_fields = tuple(field.name for field in get_declaration().searchable if field.find is Find.BEGINNING)
    question = Question(kind, words, Plan.BEGINNINGS, db.engine.dialect.name, own_fields)
    parameters = values(kind, text)
    if not indexed and question.dialect == "postgresql":
        is_rare = not own_fields or estimate_own(question, parameters) <= MAX_INDEXED[question.dialect]
        return question if is_rare else question._replace(plan=Plan.SCAN)
    return question.with_index if _is_rare(question.with_index, parameters) else question._replace(plan=Plan.SCAN)


def split_words(text: str) -> list[str]:
    """The words of a text, as search keys are compared."""
    return unicodedata.normalize("NFKC", text).casefold().split()[:MAX_WORDS]


def values(kind: str, text: str) -> dict[str, Any]:
    """The parameters of the conditions; a statement needs only some of them."""
    found: dict[str, Any] = {}
    texts = split_words(text)
    for index, word in enumerate(texts):
        found[f"word_{index}"], found[f"word_{index}_end"] = word, word + LAST_CHARACTER
        found[f"word_{index}_pattern"] = make_pattern(word)
        if _is_long(word):
            found[f"word_{index}_rare"] = make_rare_pattern(word)
        if kind == "staff_search" and _id(word) is not None:
            found[f"word_{index}_id"] = _id(word)
    found["own_text"] = " ".join(texts)[:MAX_KEY_LENGTH]
    found["own_text_end"] = found["own_text"] + LAST_CHARACTER
    found["word_trigrams"] = " AND ".join(_match(word) for word in texts if _is_long(word))
    return found


def conditions(question: Question, source: Any = users) -> list[Any]:
    """The conditions on a table with the columns of `users`. With `Plan.SCAN` no index serves the contained words."""
    found = [_matches(index, word, question.kind, source) for index, word in enumerate(question.words)]
    if question.own_fields:
        found = [sa.or_(sa.and_(*found), _has_own_value(question, source))]
    if question.plan is Plan.MATCHES and question.dialect == "postgresql" and not question.own_fields:
        found.append(_are_in_index(question, "rare"))
    elif question.plan in (Plan.INDEX, Plan.MATCHES):
        found.append(_is_candidate(question, source))
    return found


def candidates(question: Question) -> Any:
    """The condition whose rows PostgreSQL can estimate, from its statistics of the search index."""
    return _are_in_index(question, "pattern")


def _are_in_index(question: Question, pattern: str) -> Any:
    """The condition that PostgreSQL's search index serves.

    Args:
        question: what is searched for.
        pattern: the parameters with the patterns of the words: `pattern`, or `rare` without common trigrams.
    """
    contained = [(index, word) for index, word in enumerate(question.words) if word.is_contained]
    patterns = [(sa.bindparam(f"word_{index}_{pattern}", type_=sa.Text()), index, word) for index, word in contained]
    return sa.and_(*(_or_id(INDEXED_TEXT.like(each, escape="\\"), index, word) for each, index, word in patterns))


def estimate_own(question: Question, parameters: dict[str, Any]) -> int:
    """The number of users whom PostgreSQL expects to have an own field that begins with the text."""
    return sum(explain.estimate_rows(ids, parameters) for ids in _own_values(question))


def _is_rare(question: Question, parameters: dict[str, Any]) -> bool:
    """Whether an index finds few rows: PostgreSQL estimates their number, SQLite counts up to a limit."""
    most = MAX_INDEXED[question.dialect]
    if question.dialect == "postgresql":
        ids = _with_own(question, sa.select(users.c.id).where(candidates(question)))
        return explain.estimate_rows(ids, parameters) <= most
    if question.plan is Plan.INDEX:
        found: Any = _with_own(question, sa.select(trigrams.c.rowid).where(HAS_TRIGRAMS))
    else:
        found = sa.select(users.c.id).where(*conditions(question))
    counted = read_one(sa.select(sa.func.count()).select_from(found.limit(most + 1).subquery()), parameters)
    return counted is None or int(counted[0]) <= most


def _matches(index: int, word: Word, kind: str, source: Any) -> Any:
    columns = [source.c[name] for name in SEARCHED[kind]]
    parameter = sa.bindparam(f"word_{index}", type_=sa.Text())
    if word.is_contained:
        text = columns[0]
        for column in columns[1:]:  # words contain no space, so none matches across two keys
            text = text.concat(" ").concat(sa.func.coalesce(column, "") if column.nullable else column)
        return _or_id(contains(text, parameter) > 0, index, word, source)
    end: Any = sa.bindparam(f"word_{index}_end")
    return _or_id(sa.or_(*(sa.and_(column >= parameter, column < end) for column in columns)), index, word, source)


def _or_id(condition: Any, index: int, word: Word, source: Any = users) -> Any:
    return (
        sa.or_(condition, source.c.id == sa.bindparam(f"word_{index}_id", type_=users.c.id.type))
        if word.is_id
        else condition
    )


def _is_candidate(question: Question, source: Any) -> Any:
    """Whether the index has a row: the other conditions decide, since it knows no order of trigrams.

    PostgreSQL reads an array before it plans the rest, so it cannot choose to read the list in its order instead.
    """
    if db.engine.dialect.name == "postgresql":
        return _is_in_array(source, _with_own(question, sa.select(users.c.id).where(_are_in_index(question, "rare"))))
    found: list[Any] = [sa.select(trigrams.c.rowid).where(HAS_TRIGRAMS), *_own_values(question)]
    for index, word in enumerate(question.words):
        if word.is_contained and word.is_id:
            found.append(sa.select(_id_parameter(index)))
    ids: Any = sa.union_all(*found)
    return source.c.id.in_(ids if len(found) > 1 else found[0])


def _is_in_array(source: Any, ids: Any) -> Any:
    """Whether an id is among others, which PostgreSQL reads before it plans the rest."""
    return source.c.id == sa.any_(sa.func.array(ids.scalar_subquery()))


def _own_values(question: Question) -> list[Any]:
    """The SELECT of the users with an own field that begins with the text, if there are such fields.

    Fields whose keys are incomplete are left out.
    """
    if not question.own_fields:
        return []
    complete = sa.select(states.c.field).where(sa.or_(*(states.c.field == name for name in question.own_fields)))
    return [sa.select(keys.c.user_id).where(keys.c.field.in_(complete), *_begins_with_text())]


def _begins_with_text() -> tuple[Any, Any]:
    text, end = (sa.bindparam(name, type_=sa.Text()) for name in ("own_text", "own_text_end"))
    return keys.c.key >= text, keys.c.key < end


def _with_own(question: Question, ids: Any) -> Any:
    """A SELECT of ids, and of the users with an own field that begins with the text."""
    own = _own_values(question)
    return sa.union_all(ids, *own) if own else ids


def _has_own_value(question: Question, source: Any) -> Any:
    """Whether an own field begins with the text."""
    (ids,) = _own_values(question)
    if question.plan is not Plan.BEGINNINGS:  # then few rows are looked at; for EXISTS, PostgreSQL may read all keys
        of_user = ids.where(keys.c.user_id == source.c.id).limit(sa.literal_column("1")).correlate(source)
        return of_user.scalar_subquery().is_not(None)
    return _is_in_array(source, ids) if question.dialect == "postgresql" else source.c.id.in_(ids)


def _id_parameter(index: int) -> Any:
    return sa.bindparam(f"word_{index}_id", type_=users.c.id.type)


def _is_long(word: str) -> bool:
    """Whether both databases have a trigram of a word in their index."""
    return len(word) >= TRIGRAM and INDEXED_CHARACTERS.search(word) is not None


def _match(word: str) -> str:
    """All trigrams of a word, in the syntax of FTS5."""
    quoted = (word[start : start + TRIGRAM].replace('"', '""') for start in range(len(word) - TRIGRAM + 1))
    return " AND ".join(f'"{text}"' for text in quoted)


def _id(word: str) -> int | None:
    """The id that a word could be."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= MAX_ID_DIGITS else None
