"""The tables of passkeys."""

import uuid
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime

#: The maximum length of the name that a user gives a passkey.
MAX_NAME_LENGTH = 60


class Passkey(Model):
    """A passkey: the public key of a credential on a user's device or in its password manager.

    Attributes:
        credential_digest: the SHA-256 digest of the credential ID, in hexadecimal; unique among all accounts.
        public_key: a COSE_Key (RFC 9052, section 7).
        algorithm: its COSE algorithm.
        sign_count: the highest signature counter that was seen; it never decreases.
        handle: the user handle that the passkey was registered with, if it is not that of the account.
        aaguid: identifies the model of the authenticator; zeros if it does not say.
        transports: how a browser reaches the authenticator, separated by spaces.
        rp_id: the host name that the passkey belongs to.
        backup_eligible: whether it can be synced; this never changes.
        backed_up: whether it was synced when it was last used.
        user_verified: whether it was ever used with a PIN or biometrics together with another proof of identity, or was
            registered with one. Only then does it sign in alone.
        discoverable: whether the authenticator finds it without its ID; None if the browser did not say.
        counter_went_back_at: when a signature counter did not increase, as after copying a security key.
    """

    __tablename__ = "passkeys"

    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    user_id: Mapped[int] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    credential_id: Mapped[bytes] = mapped_column(sa.LargeBinary(1023))
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary)
    algorithm: Mapped[int] = mapped_column(sa.Integer)
    sign_count: Mapped[int] = mapped_column(sa.BigInteger)
    handle: Mapped[bytes | None] = mapped_column(sa.LargeBinary(64))
    aaguid: Mapped[uuid.UUID] = mapped_column(sa.Uuid)
    transports: Mapped[str] = mapped_column(sa.String(60))
    rp_id: Mapped[str] = mapped_column(sa.String(253))
    backup_eligible: Mapped[bool] = mapped_column(sa.Boolean)
    backed_up: Mapped[bool] = mapped_column(sa.Boolean)
    user_verified: Mapped[bool] = mapped_column(sa.Boolean)
    discoverable: Mapped[bool | None] = mapped_column(sa.Boolean)
    name: Mapped[str] = mapped_column(sa.String(MAX_NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    counter_went_back_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class UsedChallenge(Model):
    """A challenge that was answered: it is not accepted again.

    Attributes:
        digest: its SHA-256 digest, in hexadecimal.
        expires_at: until when the row is needed.
    """

    __tablename__ = "used_challenges"

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
