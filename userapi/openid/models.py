"""The tables of client applications, what users allow them, and the tokens that they hold."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapped, mapped_column

from userapi.auth import models as auth  # noqa: F401 (the table of users, for the foreign keys)
from userapi.core.db import Model, RowId, UTCDateTime

#: The maximum length of the id of a client.
MAX_ID_LENGTH = 64

#: The maximum length of the URLs of a client.
MAX_URL_LENGTH = 1000

#: The maximum length of the name of a client.
MAX_NAME_LENGTH = 100

#: The maximum length of a list of scopes, separated by spaces.
MAX_SCOPES_LENGTH = 500

#: JSON that a statement reads as a whole.
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


class ClientKind(StrEnum):
    """Where a client application runs, which says whether it can keep a secret (RFC 6749, section 2.1)."""

    WEB = "web"
    SPA = "spa"
    NATIVE = "native"
    MACHINE = "machine"


class Client(Model):
    """An application that signs its users in here, or a program that gets tokens of its own.

    Attributes:
        id: the `client_id`.
        kind: a value of `ClientKind`.
        is_first_party: whether it belongs to the operator, so that it needs no consent of users.
        redirect_uris: where browsers may be sent with a code; compared exactly.
        post_logout_redirect_uris: where browsers may be sent after signing out; compared exactly.
        backchannel_logout_uri: what is called when a session of its users ends.
        origins: of pages whose scripts may call the token endpoint.
        scopes: those it may request, separated by spaces.
        grants: the grant types it may use, separated by spaces.
        resources: the audiences that its access tokens may have besides the issuer (RFC 8707).
        token_auth: how it authenticates, a value of `client_secrets.TokenAuth`.
        id_token_alg: `ES256` or `RS256`.
        requires_pkce: false only for a confidential client that cannot send a code challenge.
        claims_in_id_token: whether ID tokens have the claims of the scopes, for clients that do not read userinfo.
        requires_par: whether authorization requests must be pushed (RFC 9126).
        secret_digest: of its secret; None for a public client.
        previous_secret_digest, previous_secret_until: of the secret before, which is accepted until then.
        maker_id: who created it.
        disabled_at: since when it and its tokens are rejected.
        last_used_at: when it last got a token, to within a day.
    """

    __tablename__ = "openid_clients"

    id: Mapped[str] = mapped_column(sa.String(MAX_ID_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(MAX_NAME_LENGTH))
    home_page: Mapped[str] = mapped_column(sa.String(MAX_URL_LENGTH))
    kind: Mapped[str] = mapped_column(sa.String(10))
    is_first_party: Mapped[bool] = mapped_column(sa.Boolean)
    redirect_uris: Mapped[list[str]] = mapped_column(JSON)
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(JSON)
    backchannel_logout_uri: Mapped[str | None] = mapped_column(sa.String(MAX_URL_LENGTH))
    origins: Mapped[list[str]] = mapped_column(JSON)
    scopes: Mapped[str] = mapped_column(sa.String(MAX_SCOPES_LENGTH))
    grants: Mapped[str] = mapped_column(sa.String(200))
    resources: Mapped[list[str]] = mapped_column(JSON)
    token_auth: Mapped[str] = mapped_column(sa.String(30))
    id_token_alg: Mapped[str] = mapped_column(sa.String(10))
    requires_pkce: Mapped[bool] = mapped_column(sa.Boolean)
    claims_in_id_token: Mapped[bool] = mapped_column(sa.Boolean)
    requires_par: Mapped[bool] = mapped_column(sa.Boolean)
    secret_digest: Mapped[str | None] = mapped_column(sa.String(64))
    previous_secret_digest: Mapped[str | None] = mapped_column(sa.String(64))
    previous_secret_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    maker_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Consent(Model):
    """What a user allows a client, until the user withdraws it.

    Attributes:
        scopes: separated by spaces.
    """

    __tablename__ = "openid_consents"

    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    client_id: Mapped[str] = mapped_column(
        sa.String(MAX_ID_LENGTH), sa.ForeignKey("openid_clients.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    scopes: Mapped[str] = mapped_column(sa.String(MAX_SCOPES_LENGTH))
    given_at: Mapped[datetime] = mapped_column(UTCDateTime)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Authorization(Model):
    """An authorization request that was accepted, and the code that it leads to.

    Attributes:
        handle_digest: of what names the request in paths, or in `request_uri` while it is only pushed.
        request: its checked parameters, as `authorization_requests.AuthorizationRequest` reads them.
        is_pushed: whether it was pushed and no browser has come with it yet.
        user_id, session_id: who answers it.
        session_version: that of the user when the code was issued; the code is void if the user's differs.
        scopes: what was allowed, separated by spaces.
        answered_at: when it was allowed or denied; single-use.
        code_digest: of the code.
        used_at: when the code was exchanged; single-use.
        family_id: the tokens that it was exchanged for.
    """

    __tablename__ = "openid_authorizations"

    handle_digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    client_id: Mapped[str] = mapped_column(
        sa.String(MAX_ID_LENGTH), sa.ForeignKey("openid_clients.id", ondelete="CASCADE"), index=True
    )
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    is_pushed: Mapped[bool] = mapped_column(sa.Boolean)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    user_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    session_version: Mapped[int | None] = mapped_column(sa.Integer)
    scopes: Mapped[str | None] = mapped_column(sa.String(MAX_SCOPES_LENGTH))
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    code_digest: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    code_expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    family_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)


class TokenFamily(Model):
    """The tokens of one sign-in at a client: each refresh token replaces the one before.

    Attributes:
        user_id: whose; None for a machine that gets tokens of its own.
        session_id: the session with which the family ends, unless it is offline. No foreign key: without the row, the
            session has ended.
        session_version: that of the user; an offline family has ended if the user's differs.
        is_offline: whether it outlives the session (`offline_access`).
        scopes: separated by spaces.
        resource: the audience of its access tokens; None for the issuer.
        auth_time, amr: when and how the user proved the identity.
        sid: what the client knows the session by.
        refresh_jti: the `jti` of the only valid refresh token; None without one.
        previous_jti: the `jti` of the refresh token that this one replaced.
        refreshed_at: when it was replaced.
        expires_at: the latest end.
        ended_at: when it was ended before that.
    """

    __tablename__ = "openid_token_families"

    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    client_id: Mapped[str] = mapped_column(
        sa.String(MAX_ID_LENGTH), sa.ForeignKey("openid_clients.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    session_version: Mapped[int | None] = mapped_column(sa.Integer)
    is_offline: Mapped[bool] = mapped_column(sa.Boolean)
    scopes: Mapped[str] = mapped_column(sa.String(MAX_SCOPES_LENGTH))
    resource: Mapped[str | None] = mapped_column(sa.String(MAX_URL_LENGTH))
    auth_time: Mapped[datetime | None] = mapped_column(UTCDateTime)
    amr: Mapped[str | None] = mapped_column(sa.String(60))
    sid: Mapped[str | None] = mapped_column(sa.String(43))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    refresh_jti: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    previous_jti: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    refreshed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class ClientSession(Model):
    """A client that is notified when a session ends. The row is deleted then, in the transaction that ends the session.

    Attributes:
        session_id: the session; no foreign key, because the row outlives it until the client is notified.
        user_id: whose; no foreign key, for the same reason.
        sid: what the client knows the session by.
    """

    __tablename__ = "openid_client_sessions"

    session_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    client_id: Mapped[str] = mapped_column(
        sa.String(MAX_ID_LENGTH), sa.ForeignKey("openid_clients.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    user_id: Mapped[int] = mapped_column(RowId, index=True)
    sid: Mapped[str] = mapped_column(sa.String(43))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)


class DeviceGrant(Model):
    """A device without a browser that waits for its user's answer on another device (RFC 8628).

    Attributes:
        device_digest: of the device code.
        user_code: what the user types, without its hyphen.
        scopes: what is requested, separated by spaces.
        polled_at: when the device last polled.
        interval: how many seconds it has to wait in between.
        user_id, session_id, session_version: who answered.
        approved_at, denied_at: when the user answered; single-use.
        used_at: when the device got its tokens; single-use.
        address, user_agent: of the device, for the user to recognize it by.
    """

    __tablename__ = "openid_device_grants"

    device_digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    user_code: Mapped[str] = mapped_column(sa.String(8), unique=True)
    client_id: Mapped[str] = mapped_column(
        sa.String(MAX_ID_LENGTH), sa.ForeignKey("openid_clients.id", ondelete="CASCADE"), index=True
    )
    scopes: Mapped[str] = mapped_column(sa.String(MAX_SCOPES_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    polled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    interval: Mapped[int] = mapped_column(sa.Integer)
    user_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    session_id: Mapped[uuid.UUID | None] = mapped_column(sa.Uuid)
    session_version: Mapped[int | None] = mapped_column(sa.Integer)
    approved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    denied_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(255))
