"""Registrations that are sent again because the answer was lost (`Idempotency-Key`): they open one account."""

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.problems import Problem
from userapi.http import responses, submissions
from userapi.security import password_hashing, signing_keys, throttling

from . import accounts, queries
from .models import User
from .permissions import Actor

#: Long enough that two clients do not choose the same key by chance.
KEY = re.compile(r"[!-~]{16,255}")

#: How long a key stands for the account that it opened.
LIFETIME = submissions.MAX_WINDOW


class IdempotencyKeyReused(Problem):
    """The key came with another body before, or the password of the account has changed since."""

    status = 422
    code = "idempotency_key_reused"
    title = lazy_gettext("Idempotency key reused")
    detail = lazy_gettext(
        "This Idempotency-Key was already used with another body, or the password has changed since. "
        "Use a new key for a new request."
    )


def register(key: str, new_user: Mapping[str, Any], by: Actor | None = None) -> User:
    """Open an account, or find the one that the same registration with the same key opened.

    Args:
        key: chosen by the client, new for each registration.
        new_user: what `accounts.register` takes.
        by: the caller, if any.

    Raises:
        Problem: the key is too short, too long, or not ASCII.
        IdempotencyKeyReused: it came with another body before, or the password has changed since.
        InvalidEmail, WeakPassword, EmailTaken, TooManyRequests: as `accounts.register`; the key is free again.
    """
    if not KEY.fullmatch(key):
        raise Problem(
            _("Idempotency-Key must have 16 to 255 ASCII characters without spaces. Use a UUID, for example.")
        )
    claimed, body = _digest(key.encode()), _digest(_without_password(new_user))
    before = submissions.claim_submission(claimed, LIFETIME)
    user = queries.lock_user(before["user_id"]) if before else None
    if before is None or user is None:  # the account may have been deleted since
        user = accounts.register(by=by, **new_user)
        submissions.finish_submission(claimed, {"user_id": user.id, "body": body})
        return user
    throttling.count_attempt("REGISTRATION", throttling.get_client_subject())
    if before["body"] != body or not password_hashing.verify_password(new_user["password"], user.password_hash):
        raise IdempotencyKeyReused
    return user


def _without_password(new_user: Mapping[str, Any]) -> bytes:
    """The body, of which the password is left out: a digest of it would be quicker to guess than its hash."""
    return responses.dump_sorted_json({name: value for name, value in new_user.items() if name != "password"})


def _digest(data: bytes) -> str:
    return hmac.new(signing_keys.derive_key("idempotency"), data, sha256).hexdigest()
