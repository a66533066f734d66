"""Users as answers: rendered, tagged, and compared with what a client saw before.

`UserSchema` describes the documents that are written here by hand: marshmallow's own dump of a page of 50 takes forty
times as long, and `tests/house/test_rendering.py` holds both to the same result.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.problems import NotFound, PreconditionFailed
from userapi.http import responses
from userapi.http.responses import Document

from . import queries
from .accounts import editable
from .models import User
from .permissions import Actor
from .problems import ReadOnlyField
from .schemas import users_url

#: The object is unchanged, but `If-Match` needs a strong tag (RFC 9110, section 13.1.1).
WEAK_TAG = lazy_gettext(
    "If-Match has a weak ETag (W/…), which never matches. A proxy that compresses responses makes ETags weak: "
    "turn compression off for this service, or send the ETag without W/."
)

#: Fields that are only ever sent back.
ECHOES = ("url", "id", "email_verified", "pending_email", "date_joined", "last_login")

#: Fields that some may set; for the others they are echoes.
FLAGS = ("is_active", "is_staff", "is_superuser")


def answer(document: Document, status: int = 200) -> Response:
    """A user as an answer: 304 when the caller has it already, with `Location` when it is new (201)."""
    headers = {"Location": document["url"]} if status == 201 else None
    return responses.conditional(responses.answer(document, status, headers))


def of_row(row: Any) -> Document:
    """A user's document from a row of `queries.shown()`."""
    return _document(row, users_url())


def of_id(user_id: int) -> Document:
    """A user, read anew.

    Raises:
        NotFound: when there is none.
    """
    row = queries.row(user_id)
    if row is None:
        raise NotFound(_("There is no user with this id."))
    return of_row(row)


def of_user(user: User) -> Document:
    """A user whose row is held, as it will be when the transaction is committed."""
    return of_row(queries.held_row(user))


def current(user_id: int) -> Document:
    """A user as the present transaction sees it."""
    return of_row(queries.row_in_transaction(user_id))


def check_precondition(user: User) -> None:
    """Honour `If-Match` for a held user.

    Raises:
        PreconditionFailed: when the client saw another state.
    """
    if "If-Match" in request.headers:
        body = responses.dumps(of_user(user))
        if not request.if_match.contains(responses.etag(body)):
            raise PreconditionFailed(WEAK_TAG if request.if_match.is_weak(responses.etag(body)) else None)


def without_echoes(user: User, changes: Mapping[str, Any], by: Actor) -> dict[str, Any]:
    """The changes alone, when what came back of read-only fields is unchanged.

    Raises:
        ReadOnlyField: naming those that are not.
    """
    read_only = {*ECHOES, *(set(FLAGS) - editable(user, by))}
    echoed = {name: value for name, value in changes.items() if name in read_only}
    shown = of_user(user) if echoed else {}
    differing = sorted(name for name, value in echoed.items() if _text(value) != _text(shown[name]))
    if differing:
        raise ReadOnlyField(
            errors={name: [_("This field is read-only. Omit it, or send it unchanged.")] for name in differing}
        )
    return {name: value for name, value in changes.items() if name not in echoed}


def _text(value: Any) -> str:
    """A value as JSON or a form would write it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else responses.dumps(value).decode().strip('"')


def page(rows: Iterable[Any]) -> list[Document]:
    """The documents of rows of `queries.shown()`."""
    base = users_url()
    return [_document(row, base) for row in rows]


def _document(row: Any, base: str) -> Document:
    """A user's document; the profile is null where a left join found none."""
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
    return {
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
