"""Made-up people for trials, demonstrations and measurements: the same seed makes the same people."""

import itertools
import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from mimesis import Address, Locale, Person
from mimesis.enums import Gender, TitleType

from userapi.audit import trail
from userapi.core import clock
from userapi.core.passwords import hash_password

from . import accounts, password_policy, queries
from .models import UserProfile

LOCALES = tuple(locale.value for locale in Locale)

#: Rows written at once.
BATCH = 1000

#: They joined within so many seconds before they are made.
JOINED_WITHIN = 3 * 365 * 86400

#: For a language whose titles are all too long.
ANY_TITLE = "Mx"


class Crowd:
    """People of one country without end, always in the same order.

    Args:
        locale: one of LOCALES.
        seed: which people.
    """

    def __init__(self, locale: str, seed: int) -> None:
        self.name = f"{locale} {seed}"
        self.locale, self.seed = locale, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Fields of users, `profile` among them, and how many seconds ago each joined, as `joined`."""
        chance = random.Random(self.name)  # noqa: S311 - nothing secret comes from it
        person, address = Person(Locale(self.locale), seed=self.name), Address(Locale(self.locale), seed=self.name)
        titles = {gender: _titles(person, gender) for gender in (Gender.FEMALE, Gender.MALE)}
        country = address.default_country()
        for number in itertools.count(1):
            gender = chance.choice((Gender.FEMALE, Gender.MALE))
            first, last = person.first_name(gender=gender), person.last_name(gender=gender)
            words = ".".join(filter(None, (_letters(first)[:20], _letters(last)[:20]))) or "user"
            yield {
                "email": f"{words}.{self.seed}.{number}@{self.locale}.example.com",
                "username": f"{words}{number}",
                "first_name": first,
                "last_name": last,
                "joined": chance.randrange(JOINED_WITHIN),
                "profile": {
                    "title": chance.choice(titles[gender]),
                    "dob": person.birthdate(min_year=1940, max_year=2005),
                    "address": _fitting(address.address, "address"),
                    "country": country,
                    "city": _fitting(address.city, "city"),
                    "zip": _zip(address.postal_code()),
                },
            }


def seed(crowd: Crowd, count: int, password: str, *, hash_each: bool = False) -> Iterator[tuple[int, int]]:
    """Open the accounts of the first people of a crowd; an address in use is left alone.

    Args:
        crowd: who.
        count: how many of them.
        password: of them all, held against the policy.
        hash_each: whether each gets a hash of its own.

    Yields:
        After each batch how many people are done, and how many of the batch were new.

    Raises:
        WeakPassword: before anything is written.
    """
    password_policy.check(password)
    shared = hash_password(password)
    people = itertools.islice(crowd, count)
    done = made = 0
    while batch := [_columns(fields) for fields in itertools.islice(people, BATCH)]:
        for columns, _profile in batch:
            columns["password_hash"] = hash_password(password) if hash_each else shared
        added = queries.insert_where_free(batch)
        done, made = done + len(batch), made + added
        yield done, added
    trail.record("users.seeded", changes={"count": (None, made), "crowd": (None, crowd.name)})


def _columns(fields: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A made-up person as the columns of `users` and those of `user_profiles`."""
    profile, joined = fields.pop("profile"), clock.now() - timedelta(seconds=fields.pop("joined"))
    return {
        **fields,
        "email_key": fields["email"],  # its own normal form: letters a to z, digits and dots
        "first_name_key": accounts.fold(fields["first_name"]),
        "last_name_key": accounts.fold(fields["last_name"]),
        "date_joined": joined,
        "email_verified_at": joined,
    }, profile


def _titles(person: Person, gender: Gender) -> list[str]:
    longest = _room("title")
    drawn = {person.title(gender=gender, title_type=TitleType.TYPICAL) for _ in range(50)}
    return sorted(title for title in drawn if len(title) <= longest) or [ANY_TITLE]


def _letters(name: str) -> str:
    """What of a name can stand in an address."""
    return re.sub("[^a-z]", "", unicodedata.normalize("NFKD", name).lower())


def _fitting(draw: Callable[[], str], column: str) -> str:
    """The first drawn that fits."""
    room = _room(column)
    return next(text for text in (draw().strip() for _ in itertools.count()) if len(text) <= room)


def _zip(code: str) -> str:
    """A postal code, or its largest part that fits."""
    room = _room("zip")
    for candidate in (code, re.sub("[ -]", "", code)):
        if len(candidate) <= room:
            return candidate
    return max(re.split("[ -]", code), key=lambda part: (len(part) <= room, len(part)))[:room]


def _room(column: str) -> int:
    length: int = UserProfile.__table__.c[column].type.length  # type: ignore[attr-defined]
    return length
