"""Users as JSON documents, with ETags, and compared with what a client read before."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.problems import PreconditionFailed
from userapi.http import responses
from userapi.http.responses import Document

from . import queries
from .account_edits import editable_fields
from .fields import PROFILE, READ_ONLY, WRITABLE_FLAGS
from .models import User
from .permissions import Actor
from .problems import ReadOnlyField
from .site_urls import users_url

#: The object is unchanged, but `If-Match` needs a strong tag (RFC 9110, section 13.1.1).
WEAK_TAG = lazy_gettext(
    "If-Match has a weak ETag (W/…), which never matches. A proxy that compresses responses makes ETags weak: "
    "turn compression off for this service, or send the ETag without W/."
)


def answer(document: Document, status: int = 200) -> Response:
    """A response with a user: 304 if the caller has the same ETag, with `Location` for a new user (201)."""
    headers = {"Location": document["url"]} if status == 201 else None
    return responses.make_conditional(responses.json_response(document, status, headers))


def from_row(row: Any) -> Document:
    """A user's document.

    Args:
        row: begins with `queries.document_columns()`.
    """
    return _write_document(row, users_url())


def from_rows(rows: Iterable[Any]) -> list[Document]:
    """The documents of several users."""
    base = users_url()
    return [_write_document(row, base) for row in rows]


def from_user(user: User) -> Document:
    """The document of a locked user, with changes that are not committed yet."""
    return from_row(queries.row_of_user(user))


def check_precondition(user: User) -> None:
    """Compare `If-Match` with the ETag of a locked user.

    Raises:
        PreconditionFailed: the client has read another state.
    """
    if "If-Match" in request.headers:
        etag = responses.compute_etag(responses.dump_json(from_user(user)))
        if not request.if_match.contains(etag):
            raise PreconditionFailed(WEAK_TAG if request.if_match.is_weak(etag) else None)


def drop_unchanged_readonly(user: User, changes: Mapping[str, Any], by: Actor) -> dict[str, Any]:
    """The changes without read-only fields, which clients may send back as they read them.

    Raises:
        ReadOnlyField: naming those with another value.
    """
    read_only = {*READ_ONLY, *(set(WRITABLE_FLAGS) - editable_fields(user, by))}
    sent_back = {name: value for name, value in changes.items() if name in read_only}
    shown = from_user(user) if sent_back else {}
    differing = sorted(name for name, value in sent_back.items() if _as_text(value) != _as_text(shown[name]))
    if differing:
        raise ReadOnlyField(
            errors={name: [_("This field is read-only. Omit it, or send it unchanged.")] for name in differing}
        )
    return {name: value for name, value in changes.items() if name not in sent_back}


def _as_text(value: Any) -> str:
    """A value as JSON or a form would write it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else responses.dump_json(value).decode().strip('"')


def _write_document(row: Any, base: str) -> Document:
    """A user's document; the profile is null where a left join found none.

    The dictionary displays are for speed: a loop over the table in `fields.py` takes twice as long, and a page of the
    list has up to 200 users. The loops add what the displays do not name.
    """
    profile = None
    if row.profile_title is not None:
        profile = {
            "title": row.profile_title,
            "dob": row.profile_dob,
            "address": row.profile_address,
            "country": row.profile_country,
            "city": row.profile_city,
            "zip": row.profile_zip,
        }
        for name, index in _OTHER_PROFILE_FIELDS:
            profile[name] = row[index]
    document = {
        "url": f"{base}{row.id}/",
        "id": row.id,
        "email": row.email,
        "username": row.username,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "profile": profile,
        "is_active": row.is_active,
        "is_staff": row.is_staff,
        "is_superuser": row.is_superuser,
        "email_verified": row.email_verified,
        "pending_email": row.pending_email,
        "language": row.language,
        "date_joined": row.date_joined,
        "last_login": row.last_login,
    }
    for name, index in _OTHER_USER_FIELDS:
        document[name] = row[index]
    return document


#: Fields that the displays in `_write_document` do not name, and the places of their columns.
_OTHER_USER_FIELDS: list[tuple[str, int]] = []
_OTHER_PROFILE_FIELDS: list[tuple[str, int]] = []

_PLACES = {name: index for index, name in enumerate(queries.SHOWN)}
_SAMPLE = _write_document(queries.ONE.record(*queries.SHOWN), "")
_OTHER_USER_FIELDS += [(name, _PLACES[name]) for name in queries.SHOWN_OF_USERS if name not in _SAMPLE]
_OTHER_PROFILE_FIELDS += [(name, _PLACES[f"profile_{name}"]) for name in PROFILE if name not in _SAMPLE["profile"]]
