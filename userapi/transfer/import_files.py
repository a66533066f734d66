"""Files around an import: the sample of a CSV file, and the report of a finished one."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from userapi.users.declaration import get_declaration

from . import line_formats
from .csv_cells import CsvWriter
from .profile_validation import PREFIX

#: The columns of a report.
REPORT = ("location", "result", "reason")

#: The users of the sample, with the fields that an import needs and some that it does not.
SAMPLE: tuple[dict[str, Any], ...] = (
    {
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Byron",
        "is_active": True,
        "language": "en",
    },
    {
        "email": "grace@example.com",
        "first_name": "Grace",
        "last_name": "Murray",
        "is_active": True,
    },
)


#: The profile of the first one without a declaration of other fields.
SAMPLE_PROFILE = {
    "title": "Ms",
    "dob": "1990-12-10",
    "address": "12 Pulteney Street",
    "country": "United Kingdom",
    "city": "Bath",
    "zip": "BA2 4",
}


def write_sample() -> str:
    """A CSV file of two users, which an import accepts as it is."""
    declaration = get_declaration()
    profile = SAMPLE_PROFILE if declaration.is_default else declaration.example
    first, *others = SAMPLE
    users = [{**first, **{PREFIX + name: value for name, value in profile.items()}}, *others]
    used = {name for user in users for name in user}
    return _write([column for column in line_formats.list_columns(profile) if column in used], users)


def write_report(issues: Iterable[Sequence[str]]) -> str:
    """The issues of an import, given as kind, place and reason, as a CSV file."""
    return _write(REPORT, [{"location": place, "result": kind, "reason": reason} for kind, place, reason in issues])


def _write(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    file = io.StringIO(newline="")
    CsvWriter(file, columns).write_rows(rows)
    return file.getvalue()
