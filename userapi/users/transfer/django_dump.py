"""What `manage.py dumpdata` writes: one JSON array with an entry for each row of every table, in any order.

Users, profiles and addresses stand far apart in it, so they are laid out in a temporary database of this process first:
SQLite keeps it on disk beyond a few megabytes, in a file that has no name and is gone with the connection.
"""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple, TextIO

from flask_babel import gettext as _

from userapi.users.bulk_queries import PROFILE_COLUMNS

from .records import Record, UnreadableFile, printable

#: Characters read at once, and those that one entry may have: another application's may be long.
CHUNK, LONGEST_ENTRY = 2**18, 2**26

BETWEEN = re.compile(r"[\s,]*")

#: By what a model is known: every Django user model has the former, the profile of the tutorial the latter.
OF_USERS = {"password", "last_login"}
OF_PROFILES = {"user", *PROFILE_COLUMNS}

#: Fields of Django's users that are taken as they are.
TAKEN = (
    "email", "username", "first_name", "last_name", "is_active", "is_staff", "is_superuser",
    "date_joined", "last_login",
)  # fmt: skip
KNOWN = {*TAKEN, "password", "groups", "user_permissions"}

TABLES = """
    CREATE TABLE users (number INTEGER PRIMARY KEY, entry TEXT, fields TEXT, pk TEXT, name TEXT, email TEXT);
    CREATE TABLE profiles (owner TEXT PRIMARY KEY, number INTEGER, entry TEXT, fields TEXT);
    CREATE TABLE addresses (owner TEXT, email TEXT, verified INTEGER, PRIMARY KEY (owner, email));
    CREATE TABLE doubtful (number INTEGER, entry TEXT, reason TEXT);
"""
JOINED = """
    SELECT users.number, users.entry, users.fields, users.pk,
        coalesce(by_pk.fields, by_name.fields), coalesce(address_by_pk.verified, address_by_name.verified)
    FROM users
    LEFT JOIN profiles AS by_pk ON by_pk.owner = users.pk
    LEFT JOIN profiles AS by_name ON by_name.owner = users.name
    LEFT JOIN addresses AS address_by_pk ON address_by_pk.owner = users.pk AND address_by_pk.email = users.email
    LEFT JOIN addresses AS address_by_name ON address_by_name.owner = users.name AND address_by_name.email = users.email
    ORDER BY users.number
"""
ORPHANS = """
    SELECT number, entry FROM profiles
    WHERE owner NOT IN (SELECT pk FROM users) AND owner NOT IN (SELECT name FROM users)
"""


class _Permission(NamedTuple):
    codename: str
    #: `["app", "model"]`, the number of one, or nothing.
    content_type: Any


def from_django(file: TextIO, left_out: Counter[str]) -> Iterator[Record]:
    """Groups, then users with their profiles.

    Args:
        file: the dump, with or without natural keys and indentation.
        left_out: counts the entries and fields that mean nothing here, by model.

    Raises:
        UnreadableFile: it is no dump, or not a whole one; nothing was given before.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        dump = _Dump(connection, left_out)
        for number, entry in entries(file):
            dump.take(number, entry)
        connection.execute("COMMIT")
        yield from dump.groups_of_file()
        yield from dump.users()
        yield from dump.errors()


def entries(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """The entries of the array and their numbers, from 1; no more than a few are in memory.

    Raises:
        UnreadableFile: it is no array of objects, or it ends before its end.
    """
    decoder = json.JSONDecoder()
    buffer, at, number = "", 0, 0
    while not buffer and (chunk := _read(file, 0)):
        buffer = chunk.lstrip()
    if not buffer.startswith("["):
        raise UnreadableFile(_("Not what `manage.py dumpdata` writes: it does not begin with [."))
    at = 1
    while True:
        at = BETWEEN.match(buffer, at).end()  # type: ignore[union-attr]
        if buffer.startswith("]", at):
            return
        try:
            entry, at = decoder.raw_decode(buffer, at)
        except (ValueError, RecursionError) as error:
            rest = len(buffer) - at
            chunk = _read(file, number, least=rest) if rest < LONGEST_ENTRY else ""
            if not chunk:
                told = _("Damaged, or not whole, after entry %(number)s. Make the dump again.", number=number)
                raise UnreadableFile(told) from error
            buffer, at = buffer[at:] + chunk, 0
            continue
        number += 1
        if not (
            isinstance(entry, dict) and isinstance(entry.get("fields"), dict) and isinstance(entry.get("model"), str)
        ):
            raise UnreadableFile(_("Entry %(number)s is none of `manage.py dumpdata`.", number=number))
        yield number, entry


def _read(file: TextIO, number: int, least: int = 0) -> str:
    """The next piece; as long as what is there already, so that a long entry is not tried too often."""
    try:
        return file.read(max(CHUNK, least))
    except UnicodeDecodeError as error:
        raise UnreadableFile(_("Not UTF-8, somewhere after entry %(number)s.", number=number)) from error


class _Dump:
    """The parts of a dump that matter, laid out to be joined."""

    def __init__(self, connection: sqlite3.Connection, left_out: Counter[str]) -> None:
        self.connection, self.left_out = connection, left_out
        self.user_model = ("auth", "user")
        self.content_types: dict[str, list[str]] = {}
        self.permissions: dict[str, _Permission] = {}
        self.groups: dict[str, tuple[int, str, Any, Any]] = {}
        connection.executescript(f"PRAGMA journal_mode = OFF; PRAGMA cache_size = -32000; {TABLES} BEGIN")

    def take(self, number: int, entry: dict[str, Any]) -> None:
        """Lay one entry by."""
        model, fields, pk = entry["model"], entry["fields"], entry.get("pk")
        label = printable(model if pk is None else f"{model} {pk}")
        if model == "contenttypes.contenttype":
            self.content_types[_key(pk)] = [fields.get("app_label"), fields.get("model")]
        elif model == "auth.permission":
            self.permissions[_key(pk)] = _Permission(str(fields.get("codename")), fields.get("content_type"))
        elif model == "auth.group":
            name = fields.get("name")
            key = _key([name] if pk is None else pk)  # with --natural-primary there is no pk
            self.groups[key] = (number, label, name, fields.get("permissions"))
        elif model == "account.emailaddress":
            row = (_key(fields.get("user")), _key(_lower(fields.get("email"))), fields.get("verified") is True)
            self.connection.execute("INSERT OR IGNORE INTO addresses VALUES (?, ?, ?)", row)
        elif fields.keys() >= OF_USERS:
            self._take_user(number, label, model, pk, fields)
        elif fields.keys() >= OF_PROFILES:
            self._take_profile(number, label, fields)
        else:
            self.left_out[printable(model)] += 1

    def _take_user(self, number: int, label: str, model: str, pk: Any, fields: dict[str, Any]) -> None:
        app, _dot, name = model.partition(".")
        self.user_model = (app, name)
        # The natural key of Django's own users is their username; a user model of one's own has the email here.
        natural = fields.get("username" if model == "auth.user" else "email")
        for field in fields.keys() - KNOWN:
            if fields[field]:
                self.left_out[printable(f"{model}.{field}")] += 1
        row = (number, label, json.dumps(fields), _key(pk), _key([natural]), _key(_lower(_email(fields))))
        self.connection.execute("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)", row)

    def _take_profile(self, number: int, label: str, fields: dict[str, Any]) -> None:
        for field in fields.keys() - OF_PROFILES:
            if fields[field]:
                self.left_out[printable(f"{label.partition(' ')[0]}.{field}")] += 1
        profile = json.dumps({name: fields[name] for name in PROFILE_COLUMNS})
        row = (_key(fields["user"]), number, label, profile)
        if not self.connection.execute("INSERT OR IGNORE INTO profiles VALUES (?, ?, ?, ?)", row).rowcount:
            reason = _("A second profile of one user.")
            self.connection.execute("INSERT INTO doubtful VALUES (?, ?, ?)", (number, label, str(reason)))

    def groups_of_file(self) -> Iterator[Record]:
        """The groups with the codenames of their permissions."""
        for number, label, name, permissions in self.groups.values():
            yield Record(number, {"group": name, "permissions": self._codenames(permissions)}, label)

    def users(self) -> Iterator[Record]:
        """The users, each with the profile and what is known of the address."""
        for number, label, fields, pk, profile, verified in self.connection.execute(JOINED):
            found = json.loads(fields)
            values = {name: found[name] for name in TAKEN if name in found}
            values["id"] = json.loads(pk)
            values["email"] = _email(found)
            values["password_hash"] = found.get("password")
            values["groups"] = self._group_names(found.get("groups"))
            values["permissions"] = self._codenames(found.get("user_permissions"))
            if profile is not None:
                values["profile"] = json.loads(profile)
            if verified is not None:
                values["email_verified"] = bool(verified)
            if not isinstance(values["id"], int):
                del values["id"]  # a UUID, or none
            yield Record(number, values, label)

    def errors(self) -> Iterator[Record]:
        """Profiles that belong to nobody, or to somebody who has one."""
        for number, label in self.connection.execute(ORPHANS):
            yield Record(number, {}, label, str(_("A profile whose user is not in the file.")))
        for number, label, reason in self.connection.execute("SELECT number, entry, reason FROM doubtful"):
            yield Record(number, {}, label, reason)

    def _group_names(self, references: Any) -> Any:
        if not isinstance(references, list):
            return references
        names = []
        for each in references:
            if isinstance(each, list) and each:
                names.append(each[0])
            elif (found := self.groups.get(_key(each))) is not None:
                names.append(found[2])
            else:
                self.left_out["auth.group not in the file"] += 1
        return names

    def _codenames(self, references: Any) -> Any:
        """Permissions as they are called here: those about users and groups, whatever Django's user model is called."""
        if not isinstance(references, list):
            return references
        names = []
        for each in references:
            if isinstance(each, list) and len(each) == 3 and all(isinstance(part, str) for part in each):
                names.append(self._codename(each[0], each[1:]))
            elif (found := self.permissions.get(_key(each))) is not None:
                kind = found.content_type
                names.append(
                    self._codename(
                        found.codename, kind if isinstance(kind, list) else self.content_types.get(_key(kind))
                    )
                )
            else:
                names.append(printable(str(each)))
        return names

    def _codename(self, codename: str, content_type: list[str] | None) -> str:
        action, _score, model = codename.partition("_")
        app = content_type[0] if content_type else None
        if model == self.user_model[1] and app in (None, self.user_model[0]):
            return f"{action}_user"
        if model == "group" and app in (None, "auth"):
            return codename
        return f"{app}.{codename}" if app else f"django.{codename}"  # whatever it means there, it means nothing here


def _key(value: Any) -> str:
    """A primary or natural key as one text, all of it ASCII."""
    return json.dumps(value)


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _email(fields: dict[str, Any]) -> Any:
    """The address; people often wrote it where Django asks for a username."""
    email, username = fields.get("email"), fields.get("username")
    return username if not email and isinstance(username, str) and "@" in username else email
