"""Made-up users for tests, demonstrations and benchmarks. The same seed gives the same users."""

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
from userapi.users.declaration import get_declaration
from userapi.users.fields import PROFILE, PROFILE_FIELDS, to_columns

from . import bulk_insert
from .bulk_insert import NewUser
from .seeded_profiles import choose_profile

LOCALES = tuple(locale.value for locale in Locale)

#: The number of users that are inserted at a time.
BATCH_SIZE = 5000

#: How long ago users joined at most, in seconds.
MAX_AGE = 3 * 365 * 86400

#: The first date of birth, and the day after the last one.
BIRTH_DAYS = (date(1940, 1, 1).toordinal(), date(2006, 1, 1).toordinal())

#: How many names and places of a country to draw. Users are combined from them, which takes a twentieth of the time of
#: drawing each user, and still gives thousands of different users.
NAMES, PLACES = 500, 2000

#: The fields of a user that are made up.
DRAWN_FIELDS = ("username", "first_name", "last_name")

#: Values for the required fields of a profile that are not made up below.
REQUIRED_OF_PROFILES = {field.name: field.example for field in PROFILE_FIELDS if field.is_required}

#: The title in languages whose titles are all too long.
DEFAULT_TITLE = "Mx"


class Crowd:
    """An endless sequence of users from one country, always in the same order.

    Args:
        locale: one of LOCALES.
        seed: chooses the users.
    """

    def __init__(self, locale: str, seed: int) -> None:
        self.name = f"{locale} {seed}"
        self.locale, self.seed = locale, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The fields of users, with `profile` and with `joined`: how many seconds ago the user joined."""
        person, address = Person(Locale(self.locale), seed=self.name), Address(Locale(self.locale), seed=self.name)
        genders = [_Names(person, gender) for gender in (Gender.FEMALE, Gender.MALE)]
        places = [_draw_fitting(address.address, "address") for _ in range(PLACES)]
        cities = [_draw_fitting(address.city, "city") for _ in range(PLACES)]
        codes = [_shorten_zip(address.postal_code()) for _ in range(PLACES)]
        country = address.default_country()
        unnamed = f"user.{self.locale}.{self.seed}."  # for names without any of a to z
        chance = random.Random(self.name)  # noqa: S311 - nothing secret comes from it
        for number in itertools.count(1):
            choose = chance.random
            names = genders[int(choose() * 2)]
            first, first_slug = names.first[int(choose() * NAMES)]
            last, last_slug = names.last[int(choose() * NAMES)]
            words = ".".join(filter(None, (first_slug, last_slug))) or unnamed
            yield {
                "email": f"{words}{number}@example.com",
                "username": f"{words}{number}",
                "first_name": first,
                "last_name": last,
                "joined": int(choose() * MAX_AGE),
                "profile": {
                    **REQUIRED_OF_PROFILES,
                    "title": names.titles[int(choose() * len(names.titles))],
                    "dob": date.fromordinal(BIRTH_DAYS[0] + int(choose() * (BIRTH_DAYS[1] - BIRTH_DAYS[0]))),
                    "address": places[int(choose() * PLACES)],
                    "country": country,
                    "city": cities[int(choose() * PLACES)],
                    "zip": codes[int(choose() * PLACES)],
                },
            }


class Past(Protocol):
    """The past activity of users: it changes rows before they are inserted, and then inserts its own."""

    def prepare(self, rows: Sequence[NewUser]) -> list[NewUser]:
        """The rows of users, changed as by their past activity."""

    def write(self, user_ids: Collection[int]) -> None:
        """Insert the past activity of the users who were inserted."""


class _Names:
    """The names of women or men of a country, each with the form that email addresses contain."""

    def __init__(self, person: Person, gender: Gender) -> None:
        self.titles = _draw_titles(person, gender)
        self.first = [(name, _to_slug(name)) for name in (person.first_name(gender=gender) for _ in range(NAMES))]
        self.last = [(name, _to_slug(name)) for name in (person.last_name(gender=gender) for _ in range(NAMES))]


def seed_users(
    crowd: Crowd, count: int, password: str, *, hash_each: bool = False, past: Past | None = None
) -> Iterator[tuple[int, int]]:
    """Insert the first users of a crowd. Users whose email address is in use are skipped.

    Args:
        crowd: the users.
        count: the number of users.
        password: the password of all of them, which the password policy must accept.
        hash_each: whether every user gets a different hash.
        past: their past activity, or None.

    Yields:
        After each batch, the number of users so far, and the number of users of the batch that were inserted.

    Raises:
        WeakPassword: before anything is written.
    """
    password_policy.check(password)
    shared = hash_password(password)
    draw_profile = choose_profile(get_declaration(), crowd.name)
    people = itertools.islice(crowd, count)
    done = inserted = 0
    while batch := list(itertools.islice(people, BATCH_SIZE)):
        ids, now = bulk_insert.new_ids(len(batch)), clock.now()
        rows = [
            _new_row(
                user_id,
                fields,
                draw_profile(fields["profile"], number, user_id),
                hash_password(password) if hash_each else shared,
                now,
            )
            for number, (user_id, fields) in enumerate(zip(ids, batch, strict=True), done + 1)
        ]
        if past is not None:
            rows = past.prepare(rows)
        new = bulk_insert.insert_users(rows).ids
        if past is not None:
            past.write(new)
        done, inserted = done + len(rows), inserted + len(new)
        yield done, len(new)
    audit_log.record("users.seeded", changes={"count": (None, inserted), "crowd": (None, crowd.name)})


def _new_row(
    user_id: int, fields: dict[str, Any], profile: dict[str, Any], password_hash: str, now: datetime
) -> NewUser:
    """A made-up user as a row."""
    joined = now - timedelta(seconds=fields["joined"])
    columns = {
        "id": user_id,
        "email": fields["email"],
        "email_key": fields["email"],  # the same: it has only a to z, digits and dots
        **to_columns({name: fields[name] for name in DRAWN_FIELDS}),
        "password_hash": password_hash,
        "email_verified_at": joined,
        "date_joined": joined,
    }
    return NewUser(columns, profile)


def _draw_titles(person: Person, gender: Gender) -> list[str]:
    max_length = _max_length("title")
    drawn = {person.title(gender=gender, title_type=TitleType.TYPICAL) for _ in range(50)}
    return sorted(title for title in drawn if len(title) <= max_length) or [DEFAULT_TITLE]


def _to_slug(name: str) -> str:
    """The part of a name that an email address can contain."""
    return re.sub("[^a-z]", "", unicodedata.normalize("NFKD", name).lower())[:20]


def _draw_fitting(draw: Callable[[], str], column: str) -> str:
    """The first drawn text that fits the column."""
    max_length = _max_length(column)
    return next(text for text in (draw().strip() for _ in itertools.count()) if len(text) <= max_length)


def _shorten_zip(code: str) -> str:
    """A postal code, or its longest part that fits."""
    setting = get_declaration().by_name.get("zip", PROFILE["zip"]).length_setting
    max_length: int = current_app.config[setting] if setting else _max_length("zip")
    for candidate in (code, re.sub("[ -]", "", code)):
        if len(candidate) <= max_length:
            return candidate
    return max(re.split("[ -]", code), key=lambda part: (len(part) <= max_length, len(part)))[:max_length]


def _max_length(name: str) -> int:
    """The maximum length of a built-in field, which a declaration can lower."""
    return get_declaration().by_name.get(name, PROFILE[name]).max_length
