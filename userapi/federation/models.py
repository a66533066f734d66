"""The tables of identities at providers, and of visits to providers."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime

#: The maximum length of the subject of an identity (OpenID Connect Core, section 2).
MAX_SUBJECT = 255

#: The maximum length of the URL of an issuer.
MAX_ISSUER = 255


class Identity(Model):
    """An account at a provider that signs in to an account here.

    Attributes:
        issuer: the provider's issuer. Only issuer and subject together name an identity; an email never does.
        subject: what the issuer calls the account.
        provider: the id of the provider in the settings when the identity was linked.
        email: what the provider said at the last sign-in, for people to recognize the identity by.
        email_trusted: whether the provider was an authority for it.
        last_used_at: when it last signed in, to within a day.
    """

    __tablename__ = "identities"
    __table_args__ = (sa.UniqueConstraint("issuer", "subject"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    issuer: Mapped[str] = mapped_column(sa.String(MAX_ISSUER))
    subject: Mapped[str] = mapped_column(sa.String(MAX_SUBJECT))
    provider: Mapped[str] = mapped_column(sa.String(40))
    email: Mapped[str | None] = mapped_column(sa.String(254))
    email_trusted: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Visit(Model):
    """A visit to a provider: from the start at our site to the session, the registration or the link that it leads to.

    Nonce and code verifier are not stored: they are derived from the state, of which only the digest is stored.

    Attributes:
        state_digest: of the `state`; of the nonce where an app asks for one (`purpose` is `nonce`).
        purpose: a value of `visits.Purpose`.
        browser_digest: of the cookie of the browser that makes the visit; None until a browser has come.
        next: the page to show in the end.
        return_to: the URL of an app that the browser returns to, with a code that the app redeems.
        client_challenge: the app's PKCE challenge (S256): only the app can redeem the code.
        client_state: what the app gets back.
        user_id: whose account an identity is to be linked to.
        session_version: that of the user at the start; the visit is void if the user's differs.
        expires_at: when the next step must have been made.
        answered_at: when the browser came back from the provider; single-use.
        issuer, subject, email, email_trusted, first_name, last_name: what the provider said, once it was checked.
        outcome: what the ticket is for, a value of `tickets.Use`.
        ticket_digest: of the ticket, or of the code that an app redeems.
        used_at: when the ticket was used; single-use.
    """

    __tablename__ = "visits"

    state_digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    provider: Mapped[str] = mapped_column(sa.String(40))
    purpose: Mapped[str] = mapped_column(sa.String(20))
    browser_digest: Mapped[str | None] = mapped_column(sa.String(64))
    next: Mapped[str | None] = mapped_column(sa.String(1000))
    return_to: Mapped[str | None] = mapped_column(sa.String(1000))
    client_challenge: Mapped[str | None] = mapped_column(sa.String(64))
    client_state: Mapped[str | None] = mapped_column(sa.String(500))
    user_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_version: Mapped[int | None] = mapped_column(sa.Integer)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    issuer: Mapped[str | None] = mapped_column(sa.String(MAX_ISSUER))
    subject: Mapped[str | None] = mapped_column(sa.String(MAX_SUBJECT))
    email: Mapped[str | None] = mapped_column(sa.String(254))
    email_trusted: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    first_name: Mapped[str | None] = mapped_column(sa.String(150))
    last_name: Mapped[str | None] = mapped_column(sa.String(150))
    outcome: Mapped[str | None] = mapped_column(sa.String(20))
    ticket_digest: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
