"""What every reader returns: a record for each user or group in a file, with its place."""

from typing import Any, NamedTuple

from flask_babel import gettext as _

from userapi.core.problems import Problem

#: The fields that are lists of names, and the last column of an export.
MEMBERSHIPS = ("groups", "permissions")
PASSWORD_HASH = "password_hash"  # noqa: S105 - the name of a field

#: The object with the second factors of a user; only JSON formats can have it.
SECOND_FACTORS = "second_factors"

#: The list of a user's accounts at other services; only JSON formats can have it.
IDENTITIES = "identities"

#: A flag that files can have instead of `email_verified_at`.
EMAIL_VERIFIED = "email_verified"


class UnreadableFile(Problem):
    """The file as a whole cannot be read; nothing was written."""


class Record(NamedTuple):
    """One user, or one group with its permissions.

    Attributes:
        number: the number of the line or entry, from 1.
        values: the fields as in the file; a group has `group` (its name) and `permissions`.
        entry: the name of an entry of a Django dump, such as `auth.user 17`; empty for lines.
        error: why it could not be read; then there are no values.
        last: the number of the last line, if it has several.
    """

    number: int
    values: dict[str, Any]
    entry: str = ""
    error: str = ""
    last: int = 0

    @property
    def place(self) -> str:
        """The place in the file, translated."""
        if self.last > self.number:
            return str(_("lines %(first)s to %(last)s", first=self.number, last=self.last))
        return place(self.number, self.entry)


def printable(text: str) -> str:
    """A text from a file, shortened and without control characters, which terminals would execute."""
    return "".join(character if character.isprintable() else "?" for character in text[:100])


def place(number: int, entry: str) -> str:
    """The place of a record, translated."""
    if entry:
        return str(_("entry %(number)s (%(entry)s)", number=number, entry=entry))
    return str(_("line %(number)s", number=number))
