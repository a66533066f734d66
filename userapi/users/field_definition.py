"""What is said about a field: what its values are, who may change and see it, when it is required, how it is found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, auto
from typing import Any

#: Maximum length of a search key: three times the longest name, because case folding can turn one character into three.
MAX_KEY_LENGTH = 450

#: Maximum length of the name of an own field.
MAX_FIELD_NAME = 40


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
    # Only of own fields.
    PARAGRAPH = auto()  # text with line breaks
    INTEGER = auto()
    DECIMAL = auto()
    DATE = auto()
    CHOICE = auto()  # one of `options`
    CHOICES = auto()  # some of `options`
    PHONE = auto()  # in the form of E.164
    COUNTRY = auto()  # an alpha-2 code of ISO 3166-1


class Writer(Enum):
    """Who may change a field. Each value includes the values below it."""

    OWNER = auto()  # the owner, and staff who may change the user
    ONCE = auto()  # the owner at registration, and staff who may change the user
    STAFF = auto()
    SUPERUSER = auto()
    NO_ONE = auto()  # rules and commands do it


class Reader(Enum):
    """Who sees a field. Each value includes the value below it."""

    OWNER = auto()  # the owner, and staff who may view the user
    STAFF = auto()


class Required(Enum):
    """When a field needs a value. Each value includes the values above it."""

    NO = auto()
    NEW = auto()  # when a user or profile is created or replaced
    ASK = auto()  # and users without a value are prompted for it after they sign in
    MUST = auto()  # and they can do nothing else before they give one, from the day `must_from`


class Find(Enum):
    """How lists can be filtered by an own field, whose values then have search keys."""

    NO = auto()
    EXACT = auto()
    BEGINNING = auto()


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
        max_length: the maximum number of characters.
        column_length: characters that the column has room for, if they are more.
        length_setting: the setting that may lower `max_length`.
        required: when it needs a value.
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
        is_own: whether the deployer declared it; its values are in the column `user_profiles.extra`.
        must_from: the first day of `Required.MUST`.
        reader: who sees it.
        find: how lists can be filtered by it.
        is_unique: whether no two users have the same value, regardless of case.
        is_sensitive: whether the audit log, lists and exports leave its values out.
        is_in_own_export: whether owners get it with the export of their own data, although only staff see it.
        is_listed: whether the user list of the staff site has a column for it.
        claim: the name of the claim of access tokens that may contain it; empty if none may.
        options: the values to choose from, with their labels by language.
        check: called with a value that is valid otherwise; raises `marshmallow.ValidationError` to reject it.
    """

    name: str
    kind: Kind
    label: Any
    description: str
    example: Any = None
    max_length: int = 0
    column_length: int = 0
    length_setting: str = ""
    required: Required = Required.NO
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
    is_own: bool = False
    must_from: date | None = None
    reader: Reader = Reader.OWNER
    find: Find = Find.NO
    is_unique: bool = False
    is_sensitive: bool = False
    is_in_own_export: bool = True
    is_listed: bool = False
    claim: str = ""
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    check: Callable[[Any], None] | None = None

    @property
    def is_required(self) -> bool:
        """Whether a new user (or profile) needs a value."""
        return self.required is not Required.NO

    @property
    def empty(self) -> Any:
        """What is stored if there is no value: an empty text or None."""
        return "" if self.kind in (Kind.NAME, Kind.TEXT) and not self.is_nullable else None

    @property
    def is_keyed(self) -> bool:
        """Whether values of an own field have search keys (`field_keys.py`)."""
        return self.is_own and (self.find is not Find.NO or self.is_unique)

    @property
    def has_key(self) -> bool:
        """Whether a column `<name>_key` holds the value as search and order see it."""
        return self.kind is Kind.NAME and self.search is not Search.NOWHERE
