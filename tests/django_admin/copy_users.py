"""Create the tables, and copy the users of our SQLite file into them: `python copy_users.py FILE PASSWORD`.

Every user gets the password. A user without a username gets the email as one.
"""

import os
import sqlite3
import sys
from datetime import UTC, datetime

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "admin_settings")
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402

COPIED = ("id", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser")


def read_time(text: str | None) -> datetime | None:
    """A time of our database, which is in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def copy_users(file: str, password: str) -> None:
    """Copy all users, and the names of the groups."""
    hashed = make_password(password)
    source = sqlite3.connect(file)
    source.row_factory = sqlite3.Row
    User.objects.bulk_create(
        User(
            username=row["username"] or row["email"],
            password=hashed,
            date_joined=read_time(row["date_joined"]),
            last_login=read_time(row["last_login"]),
            **{name: row[name] or "" if name.endswith("name") else row[name] for name in COPIED},
        )
        for row in source.execute("SELECT * FROM users")
    )
    # The two tables of groups only have the name in common.
    Group.objects.bulk_create(Group(name=row["name"]) for row in source.execute("SELECT name FROM groups"))
    source.close()


call_command("migrate", run_syncdb=True, verbosity=0)
copy_users(*sys.argv[1:])
