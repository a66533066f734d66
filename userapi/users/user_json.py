"""Users as JSON documents, with ETags, and compared with what a client read before."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core import context
from userapi.core.problems import PreconditionFailed
from userapi.http import responses
from userapi.http.responses import Document

from . import missing_fields, permissions, queries
from .account_edits import editable_fields
from .declaration import BUILT_IN, Declaration, get_declaration
from .fields import READ_ONLY, WRITABLE_FLAGS
from .permissions import Actor
from .problems import ReadOnlyField
from .site_urls import users_url
from .user_values import Editable

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
    """A user's document, as the caller may see it.

    Args:
        row: begins with `queries.document_columns()`.
    """
    return _write_document(row, users_url(), get_declaration())


def from_rows(rows: Iterable[Any]) -> list[Document]:
    """The documents of several users, without sensitive fields."""
    base, declaration = users_url(), get_declaration().of_lists
    return [_write_document(row, base, declaration) for row in rows]


def from_row_for_services(row: Any) -> Document:
    """A user's document as other services get it: with the fields that only staff see, without sensitive ones."""
    return _write_document(row, users_url(), get_declaration().of_lists, for_services=True)


def from_own_row(row: Any) -> Document:
    """The document that users get of themselves.

    Args:
        row: begins with `queries.document_columns()`, and has `has_password`.
    """
    return {**from_row(row), "has_password": row.has_password}


def from_user(user: Editable, *, is_own: bool = False) -> Document:
    """The document of a locked user, with changes that are not committed yet.

    Args:
        user: locked.
        is_own: whether it is the document that users get of themselves.
    """
    document = from_row(queries.row_of_user(user))
    return {**document, "has_password": user.has_password} if is_own else document


def check_precondition(user: Editable) -> None:
    """Compare `If-Match` with the ETags of a locked user: that for everyone, and that for the user.

    Raises:
        PreconditionFailed: the client has read another state.
    """
    if "If-Match" in request.headers:
        documents = (from_user(user, is_own=is_own) for is_own in (False, True))
        etags = [responses.compute_etag(responses.dump_json(document)) for document in documents]
        if not any(map(request.if_match.contains, etags)):
            raise PreconditionFailed(WEAK_TAG if any(map(request.if_match.is_weak, etags)) else None)


def drop_unchanged_readonly(user: Editable, changes: Mapping[str, Any], by: Actor) -> dict[str, Any]:
    """The changes without read-only fields, which clients may send back as they read them.

    Raises:
        ReadOnlyField: naming those with another value.
    """
    read_only = {*READ_ONLY, "has_password", *(set(WRITABLE_FLAGS) - editable_fields(user, by))}
    sent_back = {name: value for name, value in changes.items() if name in read_only}
    shown = from_user(user, is_own=True) if sent_back else {}
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


def _write_document(row: Any, base: str, declaration: Declaration, *, for_services: bool = False) -> Document:
    """A user's document; the profile is null where a left join found none.

    The dictionary displays are for speed: a loop over the table in `fields.py` takes twice as long, and a page of the
    list has up to 200 users. The loop adds what the display does not name.
    """
    document = {
        "url": f"{base}{row.id}/",
        "id": row.id,
        "email": row.email,
        "username": row.username,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "profile": None if row.profile_user_id is None else _write_profile(row, declaration, for_services),
        "is_active": row.is_active,
        "is_staff": row.is_staff,
        "is_superuser": row.is_superuser,
        "email_verified": row.email_verified,
        "pending_email": row.pending_email,
        "language": row.language,
        "date_joined": row.date_joined,
        "last_login": row.last_login,
    }
    for name, index in _OTHER_FIELDS:
        document[name] = row[index]
    if declaration.has_prompts:
        document[missing_fields.MISSING] = missing_fields.list_missing(row)
    return document


def _write_profile(row: Any, declaration: Declaration, for_services: bool) -> Document:
    if declaration.is_default:
        return {
            "title": row.profile_title,
            "dob": row.profile_dob,
            "address": row.profile_address,
            "country": row.profile_country,
            "city": row.profile_city,
            "zip": row.profile_zip,
        }
    own = row.profile_extra or {}
    profile = {name: getattr(row, column) if column else own.get(name) for name, column in declaration.columns}
    shows_all = for_services or not declaration.staff_only
    if not shows_all and not permissions.acts_as_staff(context.current_actor(), row.id):
        for name in declaration.staff_only:
            del profile[name]
    return profile


#: Fields that the display in `_write_document` does not name, and the places of their columns.
_OTHER_FIELDS: list[tuple[str, int]] = []

_SAMPLE = _write_document(queries.ONE.record(*queries.SHOWN)._replace(profile_user_id=None), "", BUILT_IN)
_OTHER_FIELDS += [(name, queries.SHOWN.index(name)) for name in queries.SHOWN_OF_USERS if name not in _SAMPLE]
