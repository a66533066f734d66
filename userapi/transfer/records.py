"""What every reader of a file gives: one record for each user and group, and where in the file it stands."""

from typing import Any, NamedTuple

from flask_babel import gettext as _

from userapi.core.problems import Problem

#: Lists of names, and what stands at the end of a line because it is long.
RIGHTS = ("groups", "permissions")
PASSWORD_HASH = "password_hash"  # noqa: S105 - the name of a field

#: Understood as well, where no moment is known.
EMAIL_VERIFIED = "email_verified"


class UnreadableFile(Problem):
    """The file as a whole is not what it should be; nothing was written."""


class Record(NamedTuple):
    """One user, or one group with its permissions.

    Attributes:
        number: of the line or entry.
        values: fields as the file has them; a group has `group` (its name) and `permissions`.
        entry: what Django calls it, as `auth.user 17`; empty where the place is a line.
        error: why it could not be read; then there are no values.
        last: the number of its last line, where it has several.
    """

    number: int
    values: dict[str, Any]
    entry: str = ""
    error: str = ""
    last: int = 0

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        if self.last > self.number:
            return str(_("lines %(first)s to %(last)s", first=self.number, last=self.last))
        return place(self.number, self.entry)


def printable(text: str) -> str:
    """A text of a file as it can be shown: short, and nothing in it that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text[:100])


def place(number: int, entry: str) -> str:
    """Where a record stands, for people."""
    if entry:
        return str(_("entry %(number)s (%(entry)s)", number=number, entry=entry))
    return str(_("line %(number)s", number=number))
