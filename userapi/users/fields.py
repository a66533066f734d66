"""The fields of users and of their profiles: one table, from which everything about fields is derived.

API schemas and documents, SQL statements, labels, forms, the audit log, imports, exports and seeding read it. A new
column needs a line here, the column in `models.py` and a migration. Its place in a form is at the end of the section,
unless a template says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from flask_babel import lazy_gettext

from userapi.http.fields import fold_text

#: Maximum length of a search key: three times the longest name, because case folding can turn one character into three.
MAX_KEY_LENGTH = 450


class Kind(Enum):
    """What the values of a field are."""

    ID = auto()
    URL = auto()
    EMAIL = auto()
    NAME = auto()  # one line that is empty or has a visible character
    TEXT = auto()  # one line
    BIRTHDAY = auto()  # a date from 1900 until today
    FLAG = auto()
    TIMESTAMP = auto()
    LANGUAGE = auto()  # a BCP 47 tag
    PROFILE = auto()


class Writer(Enum):
    """Who may change a field. Each value includes the values below it."""

    OWNER = auto()  # the owner, and staff who may change the user
    STAFF = auto()
    SUPERUSER = auto()
    NO_ONE = auto()


class Search(Enum):
    """Which searches look at a field. A searched name needs a column `<name>_key` in the search index."""

    NOWHERE = auto()
    STAFF_SITE = auto()
    EVERYWHERE = auto()


@dataclass(frozen=True)
class Field:
    """A field of a user or of a profile.

    Attributes:
        name: in the API, in forms and in files; of the column too, if there is one.
        label: in forms; empty for a field that is not on any page.
        description: for the API document.
        example: a value, as JSON has it.
        max_length: characters that the column has room for.
        length_setting: the setting that may lower `max_length`.
        is_required: whether a new user (or profile) needs a value.
        is_nullable: whether it can have no value; a text that is not nullable can be empty instead.
        allows_formatting: whether a text may contain invisible format characters (Unicode category Cf).
        writer: who may change it through the API, the account page and the staff site.
        is_shown: whether the API shows it.
        is_stored: whether it has a column of its own.
        is_exported: whether exports contain it and imports accept it.
        is_in_django: whether Django's user model, or the profile of the Django project, has it under the same name.
        is_audited: whether `user.changed` events list it; fields with their own events are left out.
        search: which searches look at it.
        hint: below the label on the pages for users.
        autocomplete: the HTML attribute on the pages for users.
    """

    name: str
    kind: Kind
    label: Any
    description: str
    example: Any = None
    max_length: int = 0
    length_setting: str = ""
    is_required: bool = False
    is_nullable: bool = False
    allows_formatting: bool = True
    writer: Writer = Writer.NO_ONE
    is_shown: bool = True
    is_stored: bool = True
    is_exported: bool = True
    is_in_django: bool = False
    is_audited: bool = True
    search: Search = Search.NOWHERE
    hint: Any = ""
    autocomplete: str = ""

    @property
    def empty(self) -> Any:
        """What is stored if there is no value: an empty text or None."""
        return "" if self.kind in (Kind.NAME, Kind.TEXT) and not self.is_nullable else None

    @property
    def has_key(self) -> bool:
        """Whether a column `<name>_key` holds the value as search and order see it."""
        return self.kind is Kind.NAME and self.search is not Search.NOWHERE


#: In the order of the API and of exports.
USER_FIELDS = (
    Field(
        "url", Kind.URL, "", "The URL of the user in the API.", "https://accounts.example.com/userapi/users/7/",
        is_stored=False, is_exported=False,
    ),
    Field(
        "id", Kind.ID, lazy_gettext("ID"), "The id of the user. It is never reused, even after the user is deleted.",
        example=7, is_audited=False,
    ),
    Field(
        "email", Kind.EMAIL, lazy_gettext("Email"),
        "The email address as it was entered. It is unique regardless of case.", "wren@example.com",
        max_length=254, is_required=True, writer=Writer.OWNER, is_in_django=True, search=Search.EVERYWHERE,
        autocomplete="email",
    ),
    Field(
        "username", Kind.NAME, lazy_gettext("Username"),
        "A display name. It is not unique and cannot be used to sign in.",
        max_length=50, is_nullable=True, allows_formatting=False, writer=Writer.OWNER, is_in_django=True,
        search=Search.STAFF_SITE, autocomplete="nickname",
    ),
    Field(
        "first_name", Kind.NAME, lazy_gettext("First name"), "Given name.", "Wren", max_length=150,
        writer=Writer.OWNER, is_in_django=True, search=Search.EVERYWHERE, autocomplete="given-name",
    ),
    Field(
        "last_name", Kind.NAME, lazy_gettext("Last name"), "Family name.", "Okafor", max_length=150,
        writer=Writer.OWNER, is_in_django=True, search=Search.EVERYWHERE, autocomplete="family-name",
    ),
    Field(
        "language", Kind.LANGUAGE, lazy_gettext("Language"), "The language of emails to the user, such as `de`.", "en",
        max_length=35, is_nullable=True, writer=Writer.OWNER,
    ),
    Field(
        "profile", Kind.PROFILE, lazy_gettext("Profile"), "Personal details, or null if the user has none.",
        is_required=True, is_nullable=True, writer=Writer.OWNER, is_stored=False, is_exported=False,
    ),
    Field(
        "is_active", Kind.FLAG, lazy_gettext("Active"), "Whether the user can sign in.", example=True,
        writer=Writer.STAFF, is_in_django=True, is_audited=False,
    ),
    Field(
        "is_staff", Kind.FLAG, lazy_gettext("Staff"), "Whether the user can use the staff site.", example=False,
        writer=Writer.SUPERUSER, is_in_django=True,
    ),
    Field(
        "is_superuser", Kind.FLAG, lazy_gettext("Superuser"), "Whether the user has every permission.", example=False,
        writer=Writer.SUPERUSER, is_in_django=True,
    ),
    Field(
        "email_verified", Kind.FLAG, lazy_gettext("Email confirmed"),
        "Whether the user has confirmed the email address.",
        example=True, is_stored=False, is_exported=False,
    ),
    Field(
        "email_verified_at", Kind.TIMESTAMP, lazy_gettext("Email confirmed"),
        "When the user confirmed the email address.", "2026-11-24T18:40:03.220914Z",
        is_nullable=True, is_shown=False, is_audited=False,
    ),
    Field(
        "pending_email", Kind.EMAIL, lazy_gettext("New email address"),
        "The new email address that is waiting for confirmation.",
        max_length=254, is_nullable=True,
    ),
    Field(
        "date_joined", Kind.TIMESTAMP, lazy_gettext("Joined"), "When the account was created.",
        "2026-11-24T18:37:50.155589Z", is_in_django=True, is_audited=False,
    ),
    Field(
        "last_login", Kind.TIMESTAMP, lazy_gettext("Last sign-in"), "When the user last signed in.",
        "2026-11-29T08:05:12.482913Z", is_nullable=True, is_in_django=True, is_audited=False,
    ),
)  # fmt: skip

#: In the order of the API and of exports. The first profile field always has a value: without one, there is no profile.
PROFILE_FIELDS = (
    Field(
        "title", Kind.TEXT, lazy_gettext("Title"), "Title before the name, such as `Ms`.", "Ms", max_length=5,
        is_required=True, writer=Writer.OWNER, is_in_django=True, hint=lazy_gettext("For example, Ms or Dr"),
        autocomplete="honorific-prefix",
    ),
    Field(
        "dob", Kind.BIRTHDAY, lazy_gettext("Date of birth"), "Date of birth.", "1990-12-10",
        is_required=True, writer=Writer.OWNER, is_in_django=True, autocomplete="bday",
    ),
    Field(
        "address", Kind.TEXT, lazy_gettext("Address"), "Street and number.", "31 Spring Street", max_length=255,
        is_required=True, writer=Writer.OWNER, is_in_django=True, autocomplete="street-address",
    ),
    Field(
        "country", Kind.TEXT, lazy_gettext("Country"), "Country, in the user's own words.", "United States",
        max_length=50, is_required=True, writer=Writer.OWNER, is_in_django=True, autocomplete="country-name",
    ),
    Field(
        "city", Kind.TEXT, lazy_gettext("City"), "Town or city.", "Boston", max_length=50,
        is_required=True, writer=Writer.OWNER, is_in_django=True, autocomplete="address-level2",
    ),
    Field(
        "zip", Kind.TEXT, lazy_gettext("Postal code"), "Postal code.", "02110", max_length=16,
        length_setting="PROFILE_ZIP_MAX_LENGTH", is_required=True, writer=Writer.OWNER, is_in_django=True,
        autocomplete="postal-code",
    ),
)  # fmt: skip

USER = {field.name: field for field in USER_FIELDS}
PROFILE = {field.name: field for field in PROFILE_FIELDS}

PROFILE_FIELD_NAMES = tuple(PROFILE)
FLAGS = tuple(field.name for field in USER_FIELDS if field.kind is Kind.FLAG)
WRITABLE_FLAGS = tuple(name for name in FLAGS if USER[name].writer is not Writer.NO_ONE)
READ_ONLY = tuple(field.name for field in USER_FIELDS if field.is_shown and field.writer is Writer.NO_ONE)

#: One-line inputs of a form, those of the profile named as `profile.city`.
TEXT_INPUTS = tuple(
    field.name
    for field in USER_FIELDS
    if field.writer is not Writer.NO_ONE and field.kind not in (Kind.FLAG, Kind.PROFILE)
)
#: Those that the account page shows in a loop; email and language have their own inputs.
ACCOUNT_PAGE_INPUTS = {
    name: USER[name] for name in TEXT_INPUTS if USER[name].writer is Writer.OWNER and name not in ("email", "language")
}
PROFILE_INPUTS = tuple(f"profile.{name}" for name in PROFILE)

#: Fields that a password must not resemble.
PERSONAL_FIELDS = tuple(
    field.name for field in USER_FIELDS if field.writer is Writer.OWNER and field.kind in (Kind.EMAIL, Kind.NAME)
)
EXPORTED_FIELDS = tuple(field.name for field in USER_FIELDS if field.is_exported)
AUDITED_FIELDS = tuple(field.name for field in USER_FIELDS if field.is_audited and field.is_stored)

#: Labels by the names of inputs.
LABELS = {
    **{field.name: field.label for field in USER_FIELDS if field.label},
    **{f"profile.{field.name}": field.label for field in PROFILE_FIELDS},
}

#: For the API document: a name means the same wherever it appears.
DESCRIPTIONS = {field.name: field.description for field in (*USER_FIELDS, *PROFILE_FIELDS)}

EXAMPLE_PROFILE = {field.name: field.example for field in PROFILE_FIELDS}
EXAMPLE = {field.name: field.example for field in USER_FIELDS if field.is_shown} | {"profile": EXAMPLE_PROFILE}


def fold_name(name: str) -> str:
    """A name as search and order see it."""
    return fold_text(name)[:MAX_KEY_LENGTH]


def to_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a user's fields as columns, with those that search and order use.

    An empty text becomes null where the field is nullable. Names that are not fields are kept unchanged.
    """
    columns: dict[str, Any] = {}
    for name, value in values.items():
        field = USER.get(name)
        stored = field.empty if field is not None and value in (None, "") else value
        columns[name] = stored
        if field is not None and field.has_key:
            columns[f"{name}_key"] = None if stored is None else fold_name(stored)
    return columns
