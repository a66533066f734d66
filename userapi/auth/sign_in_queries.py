"""The statements of a sign-in: the stored password, and the sessions that the account had before."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from userapi.core.db import db, read_one
from userapi.core.prepared import Read
from userapi.mfa.requirement_queries import SIGN_IN, WITH_FACTORS
from userapi.users.models import AccountKind, User
from userapi.users.queries import users

from .models import Session
from .queries import BY_USERS, sessions, with_users


class SeenPassword(NamedTuple):
    """The stored password hash when a password was checked, and the hash to store.

    Attributes:
        seen: the hash that the password was checked against.
        kept: the same, or a new one with the current cost settings.
    """

    seen: str | None
    kept: str | None

    @property
    def is_renewed(self) -> bool:
        """Whether another hash is stored."""
        return self.seen != self.kept


def read_credentials(email_key: str) -> Any:
    """What a sign-in is checked against.

    Returns:
        `SIGN_IN` and password_hash; None if no account has the email.
    """
    return CREDENTIALS.one(email_key=email_key)


CREDENTIALS = Read(
    sa.select(*SIGN_IN, users.c.password_hash)
    .select_from(WITH_FACTORS)
    .where(users.c.email_key == sa.bindparam("email_key"))
)


def read_password_hash(user_id: int) -> str | None:
    """The stored password hash of a user; None without a user or password."""
    found = read_one(sa.select(users.c.password_hash).where(users.c.id == user_id))
    return found[0] if found else None


def record_sign_in(
    user_id: int, version: int, now: datetime, password: SeenPassword | None, *, must_be_verified: bool
) -> int | None:
    """Store a sign-in, if the account has not changed since the user was identified.

    It is one UPDATE, so a deactivation, a change of password or the end of all sessions in between wins. No way in may
    ever begin a session of a service account.

    Args:
        user_id: the user.
        version: the session version when the user was identified.
        now: the current time.
        password: the hash that the password was checked against, and the one to store; None if it was not read.
        must_be_verified: whether the email must be confirmed.

    Returns:
        The session version for the new session; None if the account has changed.
    """
    is_person = User.kind == AccountKind.PERSON.value
    conditions = [User.id == user_id, is_person, User.is_active, User.session_version == version]
    values: dict[str, Any] = {"last_login": now}
    if must_be_verified:
        conditions.append(User.email_verified_at.is_not(None))
    if password is not None:
        conditions.append(User.password_hash == password.seen)
        values["password_hash"] = password.kept
    return db.session.scalar(
        sa.update(User)
        .where(*conditions)
        .values(values)
        .returning(User.session_version)
        .execution_options(synchronize_session=False)
    )


def is_known_device(user_id: int, address: str | None, user_agent: str | None) -> bool | None:
    """Whether an earlier session of the user has the same IP address or browser; None without an earlier one."""
    alike = sa.or_(Session.address == address, Session.user_agent == user_agent)
    found = db.session.scalar(
        sa.select(sa.func.max(sa.case((alike, 1), else_=0))).where(Session.user_id == user_id, BY_USERS)
    )
    return None if found is None else bool(found)


def read_ip_addresses(email_key: str) -> set[str | None]:
    """The IP addresses that an account has signed in from."""
    return {row[0] for row in IP_ADDRESSES.all(email_key=email_key)}


IP_ADDRESSES = Read(
    sa.select(sessions.c.address)
    .select_from(with_users)
    .where(users.c.email_key == sa.bindparam("email_key"), BY_USERS)
    .distinct()
)


def read_recipient(user_id: int) -> sa.Row[str, str, str | None]:
    """The email, first_name and language of a user who gets an email."""
    return db.session.execute(sa.select(User.email, User.first_name, User.language).where(User.id == user_id)).one()
