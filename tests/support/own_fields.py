"""Declarations of own profile fields, and values for them."""

import re
from typing import Any

from hypothesis import strategies as st

from tests.support.factories import PROFILE

#: A declaration with a field of every kind. Only the title of the built-in fields is there.
EVERY_KIND = """
[profile.title]
required = "no"
max = 20
[profile.company]
type = "line"
max = 100
label = { en = "Company", de = "Firma" }
hint = "Where you work"
find = "beginning"
list = true
claim = "profile.company"
[profile.about]
type = "text"
max = 4000
[profile.employees]
type = "integer"
find = "exact"
[profile.budget]
type = "decimal"
[profile.newsletter]
type = "flag"
[profile.founded]
type = "date"
[profile.opened]
type = "moment"
[profile.size]
type = "choice"
options = ["small", "large"]
find = "exact"
[profile.topics]
type = "choices"
options = { news = { en = "News", de = "Neues" }, "tips, tricks" = "Tips", "=1+1" = "" }
[profile.work_email]
type = "email"
[profile.website]
type = "url"
[profile.mobile]
type = "phone"
[profile.seat]
type = "country"
"""

#: A word that is wider than a phone.
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänskajütenschlüsselbundanhänger"

#: The built-in fields, and own ones of every kind, of which one is prompted for. Their labels and hints are wide.
EVERY_FIELD = "".join(f"[profile.{name}]\n" for name in PROFILE) + re.sub(
    r"\[profile\.(?!company)(\w+)\]\n",
    rf'\g<0>label = "{LONG_WORD} \1"\nhint = "{LONG_WORD}"\n',
    EVERY_KIND.partition("max = 20\n")[2].replace(
        'label = { en = "Company"', 'required = "ask"\nlabel = { en = "Company"'
    ),
)

#: A value of each field of `EVERY_KIND`.
VALUES: dict[str, Any] = {
    "title": "Professor",
    "company": "Okafor & Söhne",
    "about": "We build\nbridges.\n\n\tTall ones.",
    "employees": -12,
    "budget": "1200.50",
    "newsletter": True,
    "founded": "1999-12-31",
    "opened": "2026-11-29T08:30:00.250000Z",
    "size": "large",
    "topics": ["news", "tips, tricks"],
    "work_email": "Office@example.com",
    "website": "https://example.com/about?x=1",
    "mobile": "+442079460018",
    "seat": "GB",
}

_VISIBLE = st.characters(codec="utf-8", exclude_categories=("C", "Z", "M"))
_ANY = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))


def _texts(maximum: int, alphabet: st.SearchStrategy[str] = _ANY) -> st.SearchStrategy[str]:
    """Texts with a visible character."""
    return st.builds(lambda first, rest: first + rest, _VISIBLE, st.text(alphabet, max_size=maximum - 1))


#: Any valid value of each field, in the form in which it is stored.
VALID: dict[str, st.SearchStrategy[Any]] = {
    "title": _texts(20),
    "company": _texts(100),
    "about": _texts(4000, st.one_of(_ANY, st.sampled_from("\n\t"))),
    "employees": st.integers(-(2**53) + 1, 2**53 - 1),
    "budget": st.from_regex(r"-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,10})?", fullmatch=True).filter(str.isascii),
    "newsletter": st.booleans(),
    "founded": st.dates().map(str),
    "opened": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    "size": st.sampled_from(["small", "large"]),
    "topics": st.sets(st.sampled_from(["news", "tips, tricks", "=1+1"]), min_size=1).map(
        lambda chosen: [option for option in ("news", "tips, tricks", "=1+1") if option in chosen]
    ),
    "work_email": st.from_regex(r"[A-Za-z0-9_+]{1,30}@[a-z0-9]{1,20}\.example\.com", fullmatch=True),
    "website": st.from_regex(r"https?://[a-z]{1,20}\.example/[A-Za-z0-9/_.=~-]{0,100}", fullmatch=True),
    "mobile": st.integers(0, 9999999).map(lambda number: f"+4420{70000000 + number}"),
    "seat": st.sampled_from(["DE", "FR", "GB", "UA", "ZW"]),
}
