"""Reads the output of `manage.py dumpdata`, which has an entry for each row of every table, in any order.

A user, the profile and the email addresses are far apart in it, so they are joined in a temporary SQLite database of
this process (decision 0010). It is on disk beyond a few megabytes, without a file name, and is deleted with the
connection.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple, TextIO

from flask_babel import gettext as _

from userapi.users.fields import USER_FIELDS
from userapi.users.group_queries import STAFF

from . import django_factors, django_identities, django_owners
from .django_entries import read_entries
from .django_factors import FactorEntry
from .django_owners import key
from .django_profiles import Profiles
from .records import IDENTITIES, SECOND_FACTORS, Record, UnreadableFile, printable

#: How to recognize the user model: every one has these fields.
USER_MODEL_FIELDS = {"password", "last_login"}

#: Fields of Django's users that are imported as they are.
IMPORTED_FIELDS = tuple(field.name for field in USER_FIELDS if field.is_in_django)
KNOWN_FIELDS = {*IMPORTED_FIELDS, "password", "groups", "user_permissions"}

TABLES = """
    CREATE TABLE errors (number INTEGER, entry TEXT, reason TEXT);
"""
JOINED = """
    SELECT users.number, users.entry, users.fields, users.pk,
        (
            SELECT json_group_array(json_array(model, json(fields))) FROM (
                SELECT profiles.model, profiles.fields FROM owned JOIN profiles ON profiles.number = owned.profile
                WHERE owned.user = users.number ORDER BY is_certain DESC, profiles.model
            )
        ),
        coalesce(by_pk.verified, by_key.verified), natural_keys.key
    FROM users
    LEFT JOIN natural_keys ON natural_keys.user = users.number
    LEFT JOIN addresses AS by_pk ON by_pk.owner = users.pk AND by_pk.email = users.email
    LEFT JOIN addresses AS by_key ON by_key.owner = natural_keys.key AND by_key.email = users.email
    ORDER BY users.number
"""
STRAY_ADDRESSES = """
    SELECT count(*) FROM addresses
    WHERE NOT EXISTS (SELECT 1 FROM users WHERE pk = owner)
    AND NOT EXISTS (SELECT 1 FROM natural_keys WHERE key = owner)
"""
FACTORS = "SELECT model, entry, pk, fields FROM factors WHERE owner IN (?, ?) ORDER BY rowid"
STRAY_FACTORS = """
    SELECT model, count(*) FROM factors
    WHERE NOT EXISTS (SELECT 1 FROM users WHERE pk = owner)
    AND NOT EXISTS (SELECT 1 FROM natural_keys WHERE key = owner)
    GROUP BY model
"""


class _Permission(NamedTuple):
    codename: str
    #: `["app", "model"]`, the primary key of a content type, or None.
    content_type: Any


def from_django(file: TextIO, left_out: Counter[str]) -> Iterator[Record]:
    """The groups, then the users with their profiles.

    Args:
        file: the dump, with or without natural keys and indentation.
        left_out: counts the ignored entries and fields, by model.

    Raises:
        UnreadableFile: it is not a dump, it is incomplete, or references are ambiguous. No record was returned before.
    """
    with closing(sqlite3.connect("", isolation_level=None)) as connection:
        dump = _Dump(connection, left_out)
        for number, entry in read_entries(file):
            dump.add(number, entry)
        dump.profiles.resolve()
        connection.execute("COMMIT")
        yield from dump.groups_of_file()
        yield from dump.users()
        yield from dump.errors()


class _Dump:
    """The parts of a dump that are imported, in tables to be joined."""

    def __init__(self, connection: sqlite3.Connection, left_out: Counter[str]) -> None:
        self.connection, self.left_out = connection, left_out
        self.user_model = ""
        self.has_factors = False
        self.profiles = Profiles(connection, left_out)
        self.social_accounts = django_identities.SocialAccounts(connection)
        self.content_types: dict[str, list[str]] = {}
        self.permissions: dict[str, _Permission] = {}
        self.groups: dict[str, tuple[int, str, Any, Any]] = {}
        connection.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA cache_size = -32000; {django_owners.TABLES} {TABLES} "
            f"{django_identities.TABLE} BEGIN"
        )

    def add(self, number: int, entry: dict[str, Any]) -> None:
        """Store one entry."""
        model, fields, pk = entry["model"], entry["fields"], entry.get("pk")
        label = printable(model if pk is None or "@" in str(pk) else f"{model} {pk}")
        if model == "contenttypes.contenttype":
            self.content_types[key(pk)] = [fields.get("app_label"), fields.get("model")]
        elif model == "auth.permission":
            self.permissions[key(pk)] = _Permission(str(fields.get("codename")), fields.get("content_type"))
        elif model == "auth.group":
            name = fields.get("name")
            reference = key([name] if pk is None else pk)  # with --natural-primary there is no pk
            self.groups[reference] = (number, label, name, fields.get("permissions"))
        elif model == "account.emailaddress":
            row = (key(fields.get("user")), key(_lower(fields.get("email"))), fields.get("verified") is True)
            self.connection.execute("INSERT OR IGNORE INTO addresses VALUES (?, ?, ?)", row)
        elif fields.keys() >= USER_MODEL_FIELDS:
            self._add_user(number, label, model, pk, fields)
        elif model == django_factors.STATIC_TOKEN:
            token = (key(fields.get("device")), str(fields.get("token")))
            self.connection.execute("INSERT INTO tokens VALUES (?, ?)", token)
        elif django_factors.is_factor(model, fields):
            self.has_factors = True
            factor = (key(fields.get("user")), printable(model), label, key(pk), json.dumps(fields))
            self.connection.execute("INSERT INTO factors VALUES (?, ?, ?, ?, ?)", factor)
        elif model in (django_identities.ACCOUNT, django_identities.APP):
            self.social_accounts.add(model, key(fields.get("user")), label, fields)
        elif self.profiles.is_profile(model, fields):
            self.profiles.add(number, label, printable(model), pk, fields)
        else:
            self.left_out[printable(model)] += 1

    def _add_user(self, number: int, label: str, model: str, pk: Any, fields: dict[str, Any]) -> None:
        self.user_model = self.user_model or model
        if model != self.user_model:
            raise UnreadableFile(
                _(
                    "The dump contains two user models, %(one)s and %(other)s, and references do not say which they "
                    "mean. Nothing was imported. Create the dump again and leave out one of them with --exclude.",
                    one=printable(self.user_model),
                    other=printable(model),
                )
            )
        for field in fields.keys() - KNOWN_FIELDS - self.profiles.declared:
            if fields[field]:
                self.left_out[printable(f"{model}.{field}")] += 1
        row = (number, label, json.dumps(fields), None if pk is None else key(pk), key(_lower(_email(fields))))
        if not self.connection.execute("INSERT OR IGNORE INTO users VALUES (?, ?, ?, ?, ?)", row).rowcount:
            self._add_error(number, label, _("An earlier user in the file has the same ID."))

    def _add_error(self, number: int, label: str, reason: str) -> None:
        self.connection.execute("INSERT INTO errors VALUES (?, ?, ?)", (number, label, str(reason)))

    def groups_of_file(self) -> Iterator[Record]:
        """The groups with the codenames of their permissions."""
        for number, label, name, permissions in self.groups.values():
            yield Record(number, {"group": name, "permissions": self._codenames(permissions)}, label)

    def users(self) -> Iterator[Record]:
        """The users, each with the profile and whether the email address is verified."""
        for number, label, fields, pk, profiles, verified, natural_key in self.connection.execute(JOINED):
            found = json.loads(fields)
            values = {name: found[name] for name in IMPORTED_FIELDS if name in found}
            values["id"] = None if pk is None else json.loads(pk)
            values["email"] = _email(found)
            values["password_hash"] = found.get("password")
            values["groups"] = self._group_names(found.get("groups"))
            if isinstance(values["groups"], list) and found.get("is_staff") is True:
                values["groups"].append(STAFF)  # Django gives its staff access without such a group
            values["permissions"] = self._codenames(found.get("user_permissions"))
            if (profile := self.profiles.merge(found, json.loads(profiles))) is not None:
                values["profile"] = profile
            if verified is not None:
                values["email_verified"] = bool(verified)
            if self.has_factors and (factors := self._factors(pk, natural_key)) is not None:
                values[SECOND_FACTORS] = factors
            if (identities := self.social_accounts.of_user(pk, natural_key)) is not None:
                values[IDENTITIES] = identities
            if not isinstance(values["id"], int):
                del values["id"]  # a UUID or none
            yield Record(number, values, label)

    def _factors(self, pk: str | None, natural_key: str | None) -> dict[str, Any] | None:
        user_pk = None if pk is None else json.loads(pk)
        entries = [
            FactorEntry(model, entry, factor_pk, user_pk, json.loads(fields))
            for model, entry, factor_pk, fields in self.connection.execute(FACTORS, (pk, natural_key)).fetchall()
        ]
        return django_factors.read_factors(entries, self._tokens, self.left_out)

    def _tokens(self, device: str) -> list[str]:
        found = self.connection.execute("SELECT token FROM tokens WHERE device = ?", (device,))
        return [token for (token,) in found]

    def errors(self) -> Iterator[Record]:
        """Records that cannot be imported: profiles without a user, further profiles of a user, and duplicate ids."""
        for stray_profile in self.profiles.stray():
            has_user = stray_profile.has_user
            reason = _("This user has more than one profile in the file.") if has_user else self._no_user()
            yield Record(stray_profile.number, {}, stray_profile.entry, str(reason))
        for number, label, reason in self.connection.execute("SELECT number, entry, reason FROM errors"):
            yield Record(number, {}, label, reason)
        (stray,) = self.connection.execute(STRAY_ADDRESSES).fetchone()
        if stray:
            self.left_out["account.emailaddress without its user"] += stray
        for model, count in self.connection.execute(STRAY_FACTORS):
            self.left_out[f"{model} without its user"] += count
        self.social_accounts.count_strays(self.left_out)

    def _no_user(self) -> str:
        if self.connection.execute("SELECT 1 FROM users WHERE pk IS NULL LIMIT 1").fetchone():
            return str(
                _("No user in the file has this key: the dump has no IDs. Create it again without --natural-primary.")
            )
        return str(_("The user of this profile is not in the file."))

    def _group_names(self, references: Any) -> Any:
        if not isinstance(references, list):
            return references
        names = []
        for each in references:
            if isinstance(each, list) and each:
                names.append(each[0])
            elif (found := self.groups.get(key(each))) is not None:
                names.append(found[2])
            else:
                self.left_out["auth.group not in the file"] += 1
        return names

    def _codenames(self, references: Any) -> Any:
        """The codenames of permissions. Those on Django's user model, whatever its name, become those on users."""
        if not isinstance(references, list):
            return references
        names = []
        for each in references:
            if isinstance(each, list) and len(each) == 3 and all(isinstance(part, str) for part in each):
                names.append(self._codename(each[0], each[1:]))
            elif (found := self.permissions.get(key(each))) is not None:
                kind = found.content_type
                names.append(
                    self._codename(
                        found.codename, kind if isinstance(kind, list) else self.content_types.get(key(kind))
                    )
                )
            else:
                names.append(printable(str(each)))
        return names

    def _codename(self, codename: str, content_type: list[str] | None) -> str:
        action, _score, model = codename.partition("_")
        app = content_type[0] if content_type else None
        user_app, _dot, user_model = (self.user_model or "auth.user").partition(".")
        if model == user_model and app in (None, user_app):
            return f"{action}_user"
        if model == "group" and app in (None, "auth"):
            return codename
        return f"{app}.{codename}" if app else f"django.{codename}"  # unknown here: counted and ignored


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _email(fields: dict[str, Any]) -> Any:
    """The email address, or a username that is one: many sites use it as the username."""
    email, username = fields.get("email"), fields.get("username")
    return username if not email and isinstance(username, str) and "@" in username else email
