"""The caller of a request that was made with an API key, or with a token that one was exchanged for."""

import logging
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Response, after_this_request
from flask_babel import lazy_gettext
from werkzeug.http import http_date

from userapi.core import clock, context
from userapi.core.problems import InsufficientScope, Problem
from userapi.core.scopes import Scope, parse_scopes
from userapi.security import throttling
from userapi.users import permissions

from . import api_key_format, api_key_networks, api_key_queries, api_key_warnings, api_keys, set_up_sessions
from .problems import InvalidToken

log = logging.getLogger("userapi.auth")

#: The use of a key is stored at most this often.
LAST_USED_PRECISION = timedelta(hours=1)

#: How long before its end the responses to requests with a key say when it ends.
ANNOUNCED_FOR = timedelta(days=30)

#: The header that says so: a date (RFC 9110, section 5.6.7).
EXPIRY_HEADER = "API-Key-Expires"


class IpAddressNotAllowed(Problem):
    """The key is valid, but not from the IP address of this request."""

    status = 403
    code = "ip_address_not_allowed"
    title = lazy_gettext("IP address not allowed")
    detail = lazy_gettext("This API key cannot be used from your IP address.")


@dataclass(frozen=True, slots=True)
class KeyCaller:
    """A program that acts for a user. It has no session, so what changes one is closed to it.

    Attributes:
        user: the owner's row, as that of `Caller`.
        key_id: the key.
        scopes: values of `Scope`.
        is_for_set_up: whether the owner has to set up a second step before anything else.
        actor: the owner, without the permissions of staff unless what was proved when the key was created is enough.
    """

    user: Any
    key_id: uuid.UUID
    scopes: frozenset[str]
    is_for_set_up: bool
    actor: permissions.Actor


def make_caller(row: Any, key_id: uuid.UUID, scopes: str) -> KeyCaller:
    """The caller of a request.

    Args:
        row: as `api_key_queries.read_holder` or `queries.read_caller` reads it.
        key_id: the key.
        scopes: separated by spaces.
    """
    return KeyCaller(
        user=row,
        key_id=key_id,
        scopes=parse_scopes(scopes),
        is_for_set_up=set_up_sessions.is_for_set_up(row, None),
        actor=set_up_sessions.find_actor(row, None),
    )


def load_by_key(key: str, *, with_permissions: bool) -> KeyCaller:
    """Read the key with the account of its owner, in one statement; in none if its checksum is wrong.

    Args:
        key: as it was sent.
        with_permissions: whether the permissions of the owner matter.

    Raises:
        InvalidToken: it is no key, or it has ended, or its owner is not active.
        IpAddressNotAllowed: it cannot be used from here.
        TooManyRequests: the client has sent too many wrong keys.
    """
    row = find_holder(key, with_permissions=with_permissions)
    _record_use(row)
    announce_expiry(row.expires_at)
    return make_caller(row, row.key_id, row.scopes)


def find_holder(key: str, *, with_permissions: bool = False) -> Any:
    """The row of a valid key.

    Wrong keys are counted, valid ones are not: they cost nothing more, and work however many others were wrong.

    Raises:
        InvalidToken, IpAddressNotAllowed, TooManyRequests: as for `load_by_key`.
    """
    row = None
    if api_keys.are_on() and api_key_format.is_well_formed(key):
        row = api_key_queries.read_holder(api_key_format.hash_key(key), clock.now(), with_permissions=with_permissions)
    if row is None:
        throttling.count_attempt("API_KEY", throttling.get_client_subject())
        raise InvalidToken
    address = context.current_request().remote_addr
    if row.addresses is not None and not api_key_networks.is_within(address, row.addresses):
        log.warning("api key used from another ip address", extra={"key_id": str(row.key_id), "address": address})
        raise IpAddressNotAllowed
    api_key_warnings.watch_address(row, address)
    return row


def require_scopes(caller: KeyCaller, scopes: Collection[Scope]) -> None:
    """Check that a key has every scope that an operation requires.

    Raises:
        InsufficientScope: it has not.
    """
    if not caller.scopes.issuperset(scopes):
        raise InsufficientScope(" ".join(scopes))


def announce_expiry(expires_at: datetime) -> None:
    """Say in the response when the key ends, if that is soon."""

    def add_header(response: Response) -> Response:
        response.headers[EXPIRY_HEADER] = http_date(expires_at)
        return response

    if expires_at - clock.now() < ANNOUNCED_FOR:
        after_this_request(add_header)


def _record_use(row: Any) -> None:
    now = clock.now()
    if row.last_used_at is None or now - row.last_used_at >= LAST_USED_PRECISION:
        address = context.current_request().remote_addr
        api_key_queries.store_use(row.key_id, now, address, before=now - LAST_USED_PRECISION)
