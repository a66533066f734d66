"""The tables of sessions, with one row for each sign-in, of sign-ins that wait, of codes, and of unused accounts."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from userapi.core.db import Model, RowId, UTCDateTime
from userapi.federation import models as federation  # noqa: F401 (the table of the foreign keys)
from userapi.users.models import User


class Session(Model):
    """A session: tokens only name it, and this row says whether it is active.

    Attributes:
        session_version: that of the user when the session began; the session has ended if the user's differs.
        refresh_jti: the `jti` of the only valid refresh token.
        previous_jti: the `jti` of the refresh token that this one replaced.
        refreshed_at: when it was replaced.
        expires_at: when the session ends at the latest; a refresh does not change it.
        ended_at: when it was ended before that.
        way: how it began: a value of `assurance.Way`, or `provider:<id>`.
        amr: the proofs of identity that were given, values of `assurance.Proof` separated by spaces.
        proved_at: when the last of them was given.
        for_set_up: whether it only allows to set up a second factor.
        identity_id: the identity at a provider that it began with; it ends when that is unlinked.
        key_id: the API key that it was exchanged for; it ends with the key, and is in no list of sessions.
        impersonator_id: the member of staff who began it to act as the user; its token cannot be refreshed.
        impersonator_session_id: the session of that member of staff, with which it ends.
        returned_at: when the browser got that session back.
    """

    __tablename__ = "login_sessions"

    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_version: Mapped[int] = mapped_column(sa.Integer)
    refresh_jti: Mapped[uuid.UUID] = mapped_column(sa.Uuid)
    previous_jti: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    refreshed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(255))
    way: Mapped[str] = mapped_column(sa.String(60), server_default="password")
    amr: Mapped[str] = mapped_column(sa.String(60), server_default="pwd")
    proved_at: Mapped[datetime] = mapped_column(UTCDateTime, server_default=sa.func.current_timestamp())
    for_set_up: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false())
    identity_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("identities.id", ondelete="SET NULL"))
    key_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    impersonator_id: Mapped[int | None] = mapped_column(RowId)
    impersonator_session_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    returned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    user: Mapped[User] = relationship()


has_identity = Session.identity_id.is_not(None)
is_running_impersonation = sa.and_(Session.impersonator_id.is_not(None), Session.ended_at.is_(None))
is_of_key = Session.key_id.is_not(None)
sa.Index("ix_login_sessions_identity_id", Session.identity_id, postgresql_where=has_identity, sqlite_where=has_identity)
sa.Index("ix_login_sessions_key_id", Session.key_id, postgresql_where=is_of_key, sqlite_where=is_of_key)
#: A member of staff acts as one user at a time.
sa.Index(
    "ix_login_sessions_impersonator_id",
    Session.impersonator_id,
    unique=True,
    postgresql_where=is_running_impersonation,
    sqlite_where=is_running_impersonation,
)


class PendingSignIn(Model):
    """A sign-in that waits for its second step; it is single-use.

    Attributes:
        digest: of its token.
        session_version: that of the user at that time; the sign-in is void if the user's differs.
        way: how the session would begin.
        amr: what was proved.
        identity_id: the identity at a provider that proved it.
        proved_email_key: the unconfirmed address that an emailed code has proved, which the second step confirms.
        used_at: when the second step was done.
    """

    __tablename__ = "pending_sign_ins"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_version: Mapped[int] = mapped_column(sa.Integer)
    way: Mapped[str] = mapped_column(sa.String(60))
    amr: Mapped[str] = mapped_column(sa.String(60))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    identity_id: Mapped[int | None] = mapped_column(
        RowId, sa.ForeignKey("identities.id", ondelete="CASCADE"), index=True
    )
    proved_email_key: Mapped[str | None] = mapped_column(sa.String(254))


class SignInCode(Model):
    """A code, and in a sign-in email also a link, that were sent by email; using either uses up both.

    There is a row for every request, so that requests for unknown email addresses look like the others.

    Attributes:
        id: what names the request, for the client that made it.
        purpose: the only use it is valid for, a value of `mailed_code_secrets.Purpose`.
        user_id: the account; None if nothing was sent.
        address_key: the normal form of the email address.
        session_version: that of the account at that time; the code is void if the account's differs.
        ticket_digest: of what else the code is bound to; None for a sign-in.
        code_mac: a keyed digest of the code.
        link_digest: a digest of the token in the link; None without one.
        client_challenge: a digest of a secret of the program that requested the code (RFC 7636, S256).
        tries: how often a code was compared.
        used_at: when it was used, by one UPDATE that only one request can win.
    """

    __tablename__ = "sign_in_codes"

    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    purpose: Mapped[str] = mapped_column(sa.String(10))
    user_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    address_key: Mapped[str] = mapped_column(sa.String(254))
    session_version: Mapped[int | None] = mapped_column(sa.Integer)
    ticket_digest: Mapped[str | None] = mapped_column(sa.String(64))
    code_mac: Mapped[str] = mapped_column(sa.String(64))
    link_digest: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    client_challenge: Mapped[str | None] = mapped_column(sa.String(43))
    tries: Mapped[int] = mapped_column(sa.Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class AccountActivity(Model):
    """What is known of the use of an account besides its sessions and keys; most accounts have no row.

    Attributes:
        last_active_at: the last use of sessions and API keys that were deleted.
        warned_at: when the owner was first warned that the account will be closed.
        warned_days: the number of days before the end that the last warning was for.
        ends_at: when the account will be closed.
    """

    __tablename__ = "account_activity"

    user_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    last_active_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    warned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    warned_days: Mapped[int | None] = mapped_column(sa.SmallInteger)
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime, index=True)
