"""Fill the project with users of every kind of password hash: `python populate.py COUNT`.

A user's password is `password(number)`. Most hashes are cheap; the first of each kind cost what Django
makes them cost.
"""

import os
import sys
from datetime import UTC, date, datetime, timedelta

KINDS = ("pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt")

#: Users of each kind whose hash costs what Django makes it cost.
DEAR = 2

#: Every so-many-th user has no password that works.
UNUSABLE = 50

JOINED = datetime(2021, 1, 1, 12, 30, 15, 123000, tzinfo=UTC)


def password(number: int) -> str:
    """The password of a user; some have characters that keyboards encode in two ways."""
    return f"pässword of user {number}" if number % 3 else f"½ password… of {number}"


def kind(number: int) -> str:
    """The kind of a user's hash."""
    return "unusable" if number % UNUSABLE == 0 else KINDS[number % len(KINDS)]


def is_dear(number: int) -> bool:
    """Whether a user's hash has the default cost of Django."""
    return number <= len(KINDS) * DEAR


def email(number: int) -> str:
    """A user's email; every tenth starts with a capital."""
    return f"{'User' if number % 10 == 0 else 'user'}{number}@example.com"


def fill(count: int) -> None:
    """Make the users, with profiles, groups and permissions."""
    from api.models import Note, User, UserProfile
    from django.contrib.auth import hashers
    from django.contrib.auth.models import Group, Permission

    cheap = {
        "pbkdf2_sha256": {"iterations": 10},
        "pbkdf2_sha1": {"iterations": 10},
        "argon2": {"time_cost": 1, "memory_cost": 8, "parallelism": 1},
        "bcrypt_sha256": {"rounds": 4},
        "bcrypt": {"rounds": 4},
        "scrypt": {"work_factor": 2, "parallelism": 1},
    }

    def hashed(number: int) -> str:
        if kind(number) == "unusable":
            return hashers.make_password(None)
        hasher = type(hashers.get_hasher(kind(number)))()
        if not is_dear(number):
            for name, value in cheap[kind(number)].items():
                setattr(hasher, name, value)
        return hasher.encode(password(number), hasher.salt())

    users = [
        User(
            id=number,
            email=email(number),
            username=f"user{number}",
            first_name="Zoë" if number % 2 else "",
            last_name=f"Number {number}",
            password=hashed(number),
            is_active=number % 40 != 7,
            is_staff=number % 100 == 1,
            is_superuser=number == 1,
            date_joined=JOINED + timedelta(minutes=number),
            last_login=JOINED + timedelta(days=number % 400) if number % 4 else None,
        )
        for number in range(1, count + 1)
    ]
    User.objects.bulk_create(users, batch_size=500)
    UserProfile.objects.bulk_create(
        [
            UserProfile(
                user_id=number, title="Dr", dob=date(1950, 1, 1) + timedelta(days=number),
                address=f"{number} Long Lane", country="Kenya", city="Nairobi", zip="00100",
                photo="uploads/a.png" if number % 9 == 0 else "",
            )
            for number in range(1, count + 1)
            if number % 5
        ],
        batch_size=500,
    )  # fmt: skip
    editors, writers = Group.objects.create(name="Editors"), Group.objects.create(name="Écrivains")
    editors.permissions.set(Permission.objects.filter(codename__in=("view_user", "change_user", "add_note")))
    writers.permissions.set(Permission.objects.filter(codename="view_group"))
    editors.user_set.set(range(10, min(count, 100) + 1, 10))
    writers.user_set.set(range(20, min(count, 100) + 1, 20))
    User.objects.get(id=2).user_permissions.set(Permission.objects.filter(codename__in=("delete_user", "view_session")))
    Note.objects.create(text="Not about accounts.")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings")
    import django

    django.setup()
    fill(int(sys.argv[1]))
