"""From an authorization request to a code: who answers it, what must be proved and allowed first, and the answer."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from flask import current_app

from userapi.auth.caller import Caller
from userapi.core import clock
from userapi.core.db import db
from userapi.security import signing_keys, throttling
from userapi.users.models import User

from . import (
    authorization_queries,
    authorization_requests,
    client_checks,
    client_secrets,
    consents,
    queries,
    scopes,
)
from .authorization_requests import PUSHED, Answer, AuthorizationRequest
from .client_secrets import Use
from .models import Authorization
from .problems import BadClientRequest, RequestExpired

#: How long sign-in, second step, registration and consent may take.
LIFETIME = timedelta(minutes=10)

#: How long a pushed request waits for its browser.
PUSHED_LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True)
class Waiting:
    """A request that waits for its user.

    Attributes:
        handle: names it in paths.
        client: the row of the client.
        request: its parameters.
        began: when it came.
    """

    handle: str
    client: Any
    request: AuthorizationRequest
    began: datetime

    @property
    def oldest_proof(self) -> datetime | None:
        """Since when the user must have proved the identity; None if any session is sufficient."""
        return self.request.oldest_proof(self.began)


def begin(request: AuthorizationRequest) -> str:
    """Store a request that a browser came with, and that waits for its user; the handle that names it.

    Raises:
        TooManyRequests: too many have come from this IP address.
    """
    throttling.count_attempt("AUTHORIZATION", throttling.get_client_subject())
    return _store(request, is_pushed=False)


def push(client: Any, request: AuthorizationRequest) -> str:
    """Store a request that a client has pushed, and that waits for its browser; the handle that names it.

    Raises:
        TooManyRequests: too many have come from this IP address; only if the client is public, so that anyone can push.
    """
    if not client_checks.is_confidential(client.kind):
        throttling.count_attempt("AUTHORIZATION", throttling.get_client_subject())
    return _store(request, is_pushed=True)


def _store(request: AuthorizationRequest, *, is_pushed: bool) -> str:
    handle, now = client_secrets.make_secret(), clock.now()
    db.session.add(
        Authorization(
            handle_digest=client_secrets.digest(Use.REQUEST, handle),
            client_id=request.client_id,
            request=request.to_json(),
            is_pushed=is_pushed,
            created_at=now,
            expires_at=now + (PUSHED_LIFETIME if is_pushed else LIFETIME),
        )
    )
    db.session.flush()
    return handle


def take_pushed(client: Any, request_uri: str) -> AuthorizationRequest:
    """Use up a pushed request.

    Raises:
        BadClientRequest: it is unknown, used, expired or another client's.
    """
    handle = request_uri.removeprefix(PUSHED)
    if handle == request_uri or len(handle) > client_secrets.MAX_LENGTH:
        raise BadClientRequest
    found = authorization_queries.claim_request(client_secrets.digest(Use.REQUEST, handle), client.id, clock.now())
    if found is None:
        raise BadClientRequest
    request = AuthorizationRequest.from_json(found)
    if not authorization_requests.is_registered(client, request.redirect_uri):
        raise BadClientRequest
    return request


def find_waiting(handle: str, user_id: int) -> Waiting:
    """A request that waits, which from now on is the user's.

    Raises:
        RequestExpired: it is unknown, answered, expired or another user's, or its client was disabled or has another
            redirect URI now.
    """
    row = authorization_queries.find_request(client_secrets.digest(Use.REQUEST, handle), clock.now())
    if row is None or row.answered_at is not None:
        raise RequestExpired
    waiting = _to_waiting(handle, row, user_id)
    if row.user_id is None and not authorization_queries.bind_request(row.handle_digest, user_id):
        raise RequestExpired
    return waiting


def find_submitted(handle: str, user_id: int) -> Waiting:
    """The request that a user has looked at, whose form was submitted, once or twice.

    Raises:
        RequestExpired: it is unknown, expired or another user's, or its client was disabled.
    """
    row = authorization_queries.find_request(client_secrets.digest(Use.REQUEST, handle), clock.now())
    if row is None or row.user_id is None:
        raise RequestExpired
    return _to_waiting(handle, row, user_id)


def _to_waiting(handle: str, row: Any, user_id: int) -> Waiting:
    client = queries.find_active_client(row.client_id)
    if row.user_id not in (None, user_id) or client is None:
        raise RequestExpired
    request = AuthorizationRequest.from_json(row.request)
    if not authorization_requests.is_registered(client, request.redirect_uri):
        raise RequestExpired
    return Waiting(handle, client, request, row.created_at)


def release(handle: str, user_id: int) -> None:
    """Let another user answer a request that waits."""
    authorization_queries.release_request(client_secrets.digest(Use.REQUEST, handle), user_id)


def needs_other_user(caller: Caller, request: AuthorizationRequest) -> bool:
    """Whether the client expects another user than the one who is signed in."""
    return request.hinted_user is not None and request.hinted_user != caller.user.id


def needs_proof(caller: Caller, request: AuthorizationRequest, began: datetime) -> bool:
    """Whether the user must prove the identity again for this request."""
    oldest = request.oldest_proof(began)
    if oldest is None:
        return False
    # The token states whole seconds. The session knows better, but may have been proved by another browser.
    return caller.user.proved_at < oldest or caller.proved_at < oldest.replace(microsecond=0)


def needs_proof_now(caller: Caller, request: AuthorizationRequest) -> bool:
    """The same for a request that has just come."""
    return needs_proof(caller, request, clock.now())


def list_new_scopes(caller: Caller, client: Any, request: AuthorizationRequest) -> list[str]:
    """What the user has to allow first; empty if nothing."""
    requested = scopes.split(request.scopes)
    if client.is_first_party:
        return []
    if "consent" in request.prompts or authorization_requests.must_ask_each_time(client, request):
        return list(requested)
    allowed = scopes.split(queries.find_consent(caller.user.id, client.id))
    return [name for name in requested if name not in allowed]


def answer_immediately(caller: Caller, client: Any, request: AuthorizationRequest) -> Answer:
    """Issue a code for a request that needs nothing of the user."""
    handle, now = client_secrets.make_secret(), clock.now()
    code = _code_of(handle)
    db.session.add(
        Authorization(
            handle_digest=client_secrets.digest(Use.REQUEST, handle),
            client_id=client.id,
            request=request.to_json(),
            is_pushed=False,
            created_at=now,
            expires_at=now + LIFETIME,
            user_id=caller.user.id,
            answered_at=now,
            **_issued(caller, request, code, now),
        )
    )
    db.session.flush()
    return authorization_requests.answer_to(request, client, code=code)


def allow(waiting: Waiting, caller: Caller) -> Answer:
    """Issue the code for a request that the user allows, and remember what was allowed.

    A second click gets the same code.

    Raises:
        RequestExpired: it was denied, has expired, or is another user's.
    """
    client, request, code, now = waiting.client, waiting.request, _code_of(waiting.handle), clock.now()
    digest, issued = client_secrets.digest(Use.REQUEST, waiting.handle), _issued(caller, request, code, now)
    if authorization_queries.answer_request(digest, caller.user.id, now, **issued):
        consents.remember(caller.user.id, client, request.scopes)
    elif not authorization_queries.is_code_issued(digest, issued["code_digest"]):
        raise RequestExpired
    return authorization_requests.answer_to(request, client, code=code)


def deny(waiting: Waiting, caller: Caller) -> Answer:
    """Tell the client that the user does not allow its request.

    Raises:
        RequestExpired: as for `allow`.
    """
    digest = client_secrets.digest(Use.REQUEST, waiting.handle)
    if not authorization_queries.answer_request(digest, caller.user.id, clock.now()):
        raise RequestExpired
    return authorization_requests.answer_to(waiting.request, waiting.client, error="access_denied")


def _issued(caller: Caller, request: AuthorizationRequest, code: str, now: datetime) -> dict[str, Any]:
    """The columns of an answered request with a code."""
    return {
        "session_id": caller.session_id,
        "session_version": version_of(caller.user.id),
        "scopes": request.scopes,
        "code_digest": client_secrets.digest(Use.CODE, code),
        "code_expires_at": now + timedelta(seconds=current_app.config["OPENID_CODE_LIFETIME"]),
    }


def version_of(user_id: int) -> Any:
    """The session version of a user, as an expression for the statement that stores it."""
    return sa.select(User.session_version).where(User.id == user_id).scalar_subquery()


def _code_of(handle: str) -> str:
    """The code of a request, derived from its handle, so that a second click gets the same."""
    derived = hmac.digest(signing_keys.derive_key("openid-codes"), handle.encode("utf-8", "replace"), sha256)
    return derived.hex()
