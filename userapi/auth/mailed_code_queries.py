"""The statements about codes that were sent by email."""

import uuid
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from userapi.core.db import UTCDateTime, db
from userapi.core.prepared import CommittingWrite, Read
from userapi.core.writes import delete_some
from userapi.mfa.requirement_queries import SIGN_IN, WITH_FACTORS
from userapi.users.queries import users

from .models import SignInCode

codes = SignInCode.__table__

#: After so many tries, a code is no longer compared.
MAX_TRIES = 5

_ACCOUNT = sa.select(*SIGN_IN, users.c.email, users.c.email_key, users.c.first_name, users.c.language).select_from(
    WITH_FACTORS
)

BY_EMAIL = Read(_ACCOUNT.where(users.c.email_key == sa.bindparam("email_key")))
BY_ID = Read(_ACCOUNT.where(users.c.id == sa.bindparam("user_id")))


def find_account(email_key: str) -> Any:
    """The account with an email, outside any transaction: whom a code is sent to and what it may do; or None."""
    return BY_EMAIL.one(email_key=email_key)


def read_account(user_id: int) -> Any:
    """The same of an account by its id."""
    return BY_ID.one(user_id=user_id)


#: What is needed of a request after its code or link was found.
_FOUND = (
    codes.c.id,
    codes.c.user_id,
    codes.c.address_key,
    codes.c.session_version,
    codes.c.ticket_digest,
    codes.c.code_mac,
    codes.c.client_challenge,
)

_IS_OPEN = (codes.c.used_at.is_(None), codes.c.expires_at > sa.bindparam("now", type_=UTCDateTime))

COUNT_TRY = CommittingWrite(
    sa.update(SignInCode)
    .where(
        codes.c.id == sa.bindparam("challenge"),
        codes.c.purpose == sa.bindparam("for_purpose"),
        codes.c.tries < MAX_TRIES,
        *_IS_OPEN,
    )
    .values(tries=codes.c.tries + 1)
    .returning(*_FOUND)
)


def count_try(challenge: uuid.UUID, purpose: str, now: datetime) -> Any:
    """Count that a code is compared, which commits by itself; the request, or None if no code is accepted for it."""
    return COUNT_TRY.one(challenge=challenge, for_purpose=purpose, now=now)


FIND_LINK = Read(sa.select(*_FOUND).where(codes.c.link_digest == sa.bindparam("digest"), *_IS_OPEN))


def find_link(digest: str, now: datetime) -> Any:
    """The request whose link was opened, outside any transaction; None if the link was used or has expired."""
    return FIND_LINK.one(digest=digest, now=now)


def use_code(code_id: uuid.UUID, now: datetime) -> bool:
    """Use up a code and its link; only one request can win.

    It fails if the account has changed since the email, or requested another code for the same purpose.
    """
    newer = codes.alias("newer")
    is_unchanged = sa.exists().where(
        users.c.id == codes.c.user_id,
        users.c.email_key == codes.c.address_key,
        users.c.session_version == codes.c.session_version,
        users.c.is_active,
    )
    is_replaced = sa.exists().where(
        newer.c.user_id == codes.c.user_id,
        newer.c.purpose == codes.c.purpose,
        newer.c.created_at > codes.c.created_at,
    )
    found = db.session.execute(
        sa.update(SignInCode)
        .where(codes.c.id == code_id, codes.c.used_at.is_(None), codes.c.expires_at > now, is_unchanged, ~is_replaced)
        .values(used_at=now)
        .returning(codes.c.id)
        .execution_options(synchronize_session=False)
    )
    return found.one_or_none() is not None


def delete_expired_codes(before: datetime, most: int) -> int:
    """Delete codes that expired before a time, at most `most` of them; the number deleted."""
    return delete_some(SignInCode.id, SignInCode.expires_at < before, most)
