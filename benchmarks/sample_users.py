"""The users that every service is measured with: the same rows everywhere, computed only from their number."""

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

#: The password of all users.
PASSWORD = "Correct-Horse-9!"

#: The number of the only staff user.
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
    """The email of a user."""
    return f"user{number:06d}@example.com"


def identity(number: int) -> uuid.UUID:
    """The id of a user in services whose ids are UUIDs; it sorts like the number."""
    return uuid.UUID(int=number)


def sample_user(number: int) -> dict[str, Any]:
    """The values for the columns of all services, by name."""
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


def first_users(count: int) -> Iterator[dict[str, Any]]:
    """The first `count` users."""
    return map(sample_user, range(1, count + 1))
