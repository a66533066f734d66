"""Made-up people for trials, demonstrations and measurements: the same seed makes the same people."""

import itertools
import random
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from flask import current_app
from mimesis import Address, Locale, Person
from mimesis.enums import Gender, TitleType

from userapi.audit import audit_log
from userapi.core import clock
from userapi.security.password_hashing import hash_password
from userapi.users import password_policy
from userapi.users.fields import PROFILE, PROFILE_FIELDS, to_columns

from . import bulk_insert
from .bulk_insert import NewUser

LOCALES = tuple(locale.value for locale in Locale)

#: Rows written at once.
BATCH = 5000

#: They joined within so many seconds before they are made.
JOINED_WITHIN = 3 * 365 * 86400

#: Days of birth, the last one apart.
BORN = (date(1940, 1, 1).toordinal(), date(2006, 1, 1).toordinal())

#: Names and places of a country to choose from. A person is put together of them, which costs a twentieth of drawing
#: one, and of so many, no two in thousands are alike.
NAMES, PLACES = 500, 2000

#: What a made-up user is called.
NAMES_DRAWN = ("username", "first_name", "last_name")

#: For the fields of a profile that nothing below makes up.
REQUIRED_OF_PROFILES = {field.name: field.example for field in PROFILE_FIELDS if field.is_required}

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
        person, address = Person(Locale(self.locale), seed=self.name), Address(Locale(self.locale), seed=self.name)
        genders = [_Names(person, gender) for gender in (Gender.FEMALE, Gender.MALE)]
        places = [_fitting(address.address, "address") for _ in range(PLACES)]
        cities = [_fitting(address.city, "city") for _ in range(PLACES)]
        codes = [_zip(address.postal_code()) for _ in range(PLACES)]
        country = address.default_country()
        unnamed = f"user.{self.locale}.{self.seed}."  # for names that have no letter from a to z
        chance = random.Random(self.name)  # noqa: S311 - nothing secret comes from it
        for number in itertools.count(1):
            choose = chance.random
            names = genders[int(choose() * 2)]
            first, first_letters = names.first[int(choose() * NAMES)]
            last, last_letters = names.last[int(choose() * NAMES)]
            words = ".".join(filter(None, (first_letters, last_letters))) or unnamed
            yield {
                "email": f"{words}{number}@example.com",
                "username": f"{words}{number}",
                "first_name": first,
                "last_name": last,
                "joined": int(choose() * JOINED_WITHIN),
                "profile": {
                    **REQUIRED_OF_PROFILES,
                    "title": names.titles[int(choose() * len(names.titles))],
                    "dob": date.fromordinal(BORN[0] + int(choose() * (BORN[1] - BORN[0]))),
                    "address": places[int(choose() * PLACES)],
                    "country": country,
                    "city": cities[int(choose() * PLACES)],
                    "zip": codes[int(choose() * PLACES)],
                },
            }


class Past(Protocol):
    """What people have done before: it changes accounts before they are written, and then writes itself."""

    def prepare(self, rows: Sequence[NewUser]) -> list[NewUser]:
        """The accounts as that past has left them."""

    def write(self, made: Collection[int]) -> None:
        """Write the past of those that were made."""


class _Names:
    """What women, or men, of a country are called; each name with its letters that can stand in an address."""

    def __init__(self, person: Person, gender: Gender) -> None:
        self.titles = _titles(person, gender)
        self.first = [(name, _letters(name)) for name in (person.first_name(gender=gender) for _ in range(NAMES))]
        self.last = [(name, _letters(name)) for name in (person.last_name(gender=gender) for _ in range(NAMES))]


def seed(
    crowd: Crowd, count: int, password: str, *, hash_each: bool = False, past: Past | None = None
) -> Iterator[tuple[int, int]]:
    """Open the accounts of the first people of a crowd; an address in use is left alone.

    Args:
        crowd: who.
        count: how many of them.
        password: of them all, held against the policy.
        hash_each: whether each gets a hash of its own.
        past: what they have done before; nothing if None.

    Yields:
        After each batch how many people are done, and how many of the batch were new.

    Raises:
        WeakPassword: before anything is written.
    """
    password_policy.check(password)
    shared = hash_password(password)
    people = itertools.islice(crowd, count)
    done = made = 0
    while batch := list(itertools.islice(people, BATCH)):
        ids, now = bulk_insert.new_ids(len(batch)), clock.now()
        rows = [
            _row(user_id, fields, hash_password(password) if hash_each else shared, now)
            for user_id, fields in zip(ids, batch, strict=True)
        ]
        if past is not None:
            rows = past.prepare(rows)
        added = bulk_insert.insert_users(rows)
        if past is not None:
            past.write(added)
        done, made = done + len(rows), made + len(added)
        yield done, len(added)
    audit_log.record("users.seeded", changes={"count": (None, made), "crowd": (None, crowd.name)})


def _row(user_id: int, fields: dict[str, Any], password_hash: str, now: datetime) -> NewUser:
    """A made-up person as a row."""
    joined = now - timedelta(seconds=fields["joined"])
    columns = {
        "id": user_id,
        "email": fields["email"],
        "email_key": fields["email"],  # its own normal form: letters a to z, digits and dots
        **to_columns({name: fields[name] for name in NAMES_DRAWN}),
        "password_hash": password_hash,
        "email_verified_at": joined,
        "date_joined": joined,
    }
    return NewUser(columns, fields["profile"])


def _titles(person: Person, gender: Gender) -> list[str]:
    longest = _room("title")
    drawn = {person.title(gender=gender, title_type=TitleType.TYPICAL) for _ in range(50)}
    return sorted(title for title in drawn if len(title) <= longest) or [ANY_TITLE]


def _letters(name: str) -> str:
    """What of a name can stand in an address."""
    return re.sub("[^a-z]", "", unicodedata.normalize("NFKD", name).lower())[:20]


def _fitting(draw: Callable[[], str], column: str) -> str:
    """The first drawn that fits."""
    room = _room(column)
    return next(text for text in (draw().strip() for _ in itertools.count()) if len(text) <= room)


def _zip(code: str) -> str:
    """A postal code, or its largest part that fits."""
    room: int = current_app.config[PROFILE["zip"].length_setting]
    for candidate in (code, re.sub("[ -]", "", code)):
        if len(candidate) <= room:
            return candidate
    return max(re.split("[ -]", code), key=lambda part: (len(part) <= room, len(part)))[:room]


def _room(column: str) -> int:
    return PROFILE[column].max_length
