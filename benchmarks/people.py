"""The people that every service is measured with: the same rows everywhere, computed from their number alone."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

#: The password of them all.
PASSWORD = "Correct-Horse-9!"

#: The one member of staff.
STAFF = 1

FIRST = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Margaret", "Niklaus")
LAST = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Hamilton", "Wirth")
TITLES = ("Mr", "Mrs", "Ms", "Dr", "Prof")
PLACES = (
    ("Germany", "Berlin"),
    ("France", "Paris"),
    ("Kenya", "Nairobi"),
    ("Japan", "Osaka"),
    ("Brazil", "Recife"),
    ("Canada", "Toronto"),
    ("Côte d’Ivoire", "Abidjan"),
)
JOINED = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
BORN = dt.date(1950, 1, 1)


def email(number: int) -> str:
    """The address of a person."""
    return f"user{number:06d}@example.com"


def identity(number: int) -> uuid.UUID:
    """The id of a person in services whose ids are UUIDs; it sorts like the number."""
    return uuid.UUID(int=number)


def person(number: int) -> dict[str, Any]:
    """What a column of any service may ask for, by name."""
    country, city = PLACES[number % len(PLACES)]
    first, last = FIRST[number % len(FIRST)], LAST[number // len(FIRST) % len(LAST)]
    return {
        "id": number,
        "uuid": identity(number),
        "email": email(number),
        "username": f"user{number:06d}",
        "first_name": first,
        "last_name": last,
        "first_name_folded": first.casefold(),
        "last_name_folded": last.casefold(),
        "is_staff": number == STAFF,
        "joined": JOINED + dt.timedelta(seconds=number),
        "title": TITLES[number % len(TITLES)],
        "dob": BORN + dt.timedelta(days=number % 18_000),
        "address": f"{number % 997 + 1} Sample Street, Block {number % 26}",
        "country": country,
        "city": city,
        "zip": f"{number % 100_000:05d}",
        "true": True,
        "zero": 0,
    }


def everybody(count: int) -> Iterator[dict[str, Any]]:
    """The first `count` people."""
    return map(person, range(1, count + 1))
