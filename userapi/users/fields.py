"""The fields of users and of their profiles: one table, from which everything about fields is derived.

API schemas and documents, SQL statements, labels, forms, the audit log, imports, exports and seeding read it. A new
column needs a line here, the column in `models.py` and a migration. Its place in a form is at the end of the section,
unless a template says otherwise.

`PROFILE_FIELDS` are the built-in fields of profiles. Which fields the profiles of an application have is said by its
declaration (`declaration.py`), which may leave out built-in fields and add own ones.
"""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext

from userapi.http.fields import fold_text

from .field_definition import MAX_KEY_LENGTH, Field, Kind, Required, Search, Writer

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
        max_length=254, required=Required.NEW, writer=Writer.OWNER, is_in_django=True, search=Search.EVERYWHERE,
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
        required=Required.NEW, is_nullable=True, writer=Writer.OWNER, is_stored=False, is_exported=False,
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
        "terms_version", Kind.TEXT, lazy_gettext("Version of the accepted terms"),
        "The version of the terms that the user accepted.", "2026-11", max_length=50, is_nullable=True, is_shown=False,
        is_audited=False,
    ),
    Field(
        "terms_accepted_at", Kind.TIMESTAMP, lazy_gettext("Terms accepted"), "When the user accepted the terms.",
        "2026-11-24T18:37:50.155589Z", is_nullable=True, is_shown=False, is_audited=False,
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

#: The built-in fields of profiles, in the order of the API and of exports: those with a column.
PROFILE_FIELDS = (
    Field(
        "title", Kind.TEXT, lazy_gettext("Title"), "Title before the name, such as `Ms`.", "Ms", max_length=5,
        column_length=50, required=Required.NEW, writer=Writer.OWNER, is_in_django=True,
        hint=lazy_gettext("For example, Ms or Dr"), autocomplete="honorific-prefix",
    ),
    Field(
        "dob", Kind.BIRTHDAY, lazy_gettext("Date of birth"), "Date of birth.", "1990-12-10",
        required=Required.NEW, writer=Writer.OWNER, is_in_django=True, autocomplete="bday",
    ),
    Field(
        "address", Kind.TEXT, lazy_gettext("Address"), "Street and number.", "31 Spring Street", max_length=255,
        required=Required.NEW, writer=Writer.OWNER, is_in_django=True, autocomplete="street-address",
    ),
    Field(
        "country", Kind.TEXT, lazy_gettext("Country"), "Country, in the user's own words.", "United States",
        max_length=50, required=Required.NEW, writer=Writer.OWNER, is_in_django=True, autocomplete="country-name",
    ),
    Field(
        "city", Kind.TEXT, lazy_gettext("City"), "Town or city.", "Boston", max_length=50,
        required=Required.NEW, writer=Writer.OWNER, is_in_django=True, autocomplete="address-level2",
    ),
    Field(
        "zip", Kind.TEXT, lazy_gettext("Postal code"), "Postal code.", "02110", max_length=16,
        column_length=50, length_setting="PROFILE_ZIP_MAX_LENGTH", required=Required.NEW, writer=Writer.OWNER,
        is_in_django=True, autocomplete="postal-code",
    ),
)  # fmt: skip

USER = {field.name: field for field in USER_FIELDS}
PROFILE = {field.name: field for field in PROFILE_FIELDS}

#: The columns with the values as search and order see them, by field.
KEYS = {name: f"{name}_key" for name, field in USER.items() if field.has_key}

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

#: Fields that a password must not resemble.
PERSONAL_FIELDS = tuple(
    field.name for field in USER_FIELDS if field.writer is Writer.OWNER and field.kind in (Kind.EMAIL, Kind.NAME)
)
#: Fields that only an application with terms has; files contain them only if there are values.
TERMS_FIELDS = ("terms_version", "terms_accepted_at")

EXPORTED_FIELDS = tuple(field.name for field in USER_FIELDS if field.is_exported)
AUDITED_FIELDS = tuple(field.name for field in USER_FIELDS if field.is_audited and field.is_stored)

#: Labels by the names of inputs.
LABELS = {
    **{field.name: field.label for field in USER_FIELDS if field.label},
    **{f"profile.{field.name}": field.label for field in PROFILE_FIELDS},
}

#: For the API document: a name means the same wherever it appears.
DESCRIPTIONS = {field.name: field.description for field in (*USER_FIELDS, *PROFILE_FIELDS)}


def is_same(value: Any, other: Any) -> bool:
    """Whether two values are the same in JSON, where true and 1 are not."""
    return type(value) is type(other) and bool(value == other)


def fold_name(name: str) -> str:
    """A name as search and order see it."""
    return fold_text(name)[:MAX_KEY_LENGTH]


def to_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a user's fields as columns, with those that search and order use.

    An empty text becomes null where the field is nullable. Names that are not fields are kept unchanged.
    """
    columns: dict[str, Any] = {}
    for name, value in values.items():
        stored = USER[name].empty if value in (None, "") and name in USER else value
        columns[name] = stored
        if name in KEYS:
            columns[KEYS[name]] = None if stored is None else fold_name(stored)
    return columns
