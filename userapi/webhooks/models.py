"""Webhooks, the events they want, and what was sent to them.

Deliveries have no foreign key to their webhook: an act that writes one must neither wait for the deletion of a webhook
nor fail because of it. The deliveries of a deleted webhook are pruned like all others.
"""

import uuid
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from userapi.core.db import Model, RowId, UTCDateTime
from userapi.outbound.webhook_requests import EXCERPT_LENGTH, MAX_URL_LENGTH

MAX_DESCRIPTION_LENGTH = 200


class DisabledReason(StrEnum):
    """Why a webhook is disabled."""

    STAFF = "staff"
    #: It responded with 410.
    GONE = "gone"
    #: No attempt succeeded for days.
    FAILING = "failing"


class State(StrEnum):
    """The state of a delivery. Those of a disabled webhook that wait are shown as held; that is not stored."""

    WAITING = "waiting"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class WebhookEndpoint(Model):
    """A URL that gets events, and how sending to it goes. Its lease covers the delivery that is being sent.

    Attributes:
        description: what it is for, as its creator describes it.
        includes_user: whether bodies contain the user as they are when sent.
        generation: of the secret, which is derived from it.
        previous_until: until when requests are also signed with the previous secret.
        maker_id: who created it.
        disabled_at: since when nothing is sent to it; its deliveries wait.
        disabled_reason: a `DisabledReason`.
        attempts: the number of attempts since the last successful one.
        claimed_until: the end of the lease of the worker that is sending to it.
        paused_until: nothing is sent to it before, because it was unavailable or sent `Retry-After`.
        failing_since: the first failed attempt since the last successful one.
        tried_at, succeeded_at: the last attempt, and the last successful one.
    """

    __tablename__ = "webhook_endpoints"

    id: Mapped[uuid.UUID] = mapped_column(sa.Uuid, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    maker_id: Mapped[int | None] = mapped_column(RowId, sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
    url: Mapped[str] = mapped_column(sa.String(MAX_URL_LENGTH))
    description: Mapped[str] = mapped_column(sa.String(MAX_DESCRIPTION_LENGTH))
    includes_user: Mapped[bool] = mapped_column(sa.Boolean)
    generation: Mapped[int] = mapped_column(sa.Integer, default=1)
    previous_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    disabled_reason: Mapped[str | None] = mapped_column(sa.String(10))
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    paused_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    succeeded_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class WebhookSubscription(Model):
    """Actions that a webhook gets: one such as `user.created`, all of a kind such as `user.*`, or all (`*`)."""

    __tablename__ = "webhook_subscriptions"

    pattern: Mapped[str] = mapped_column(sa.String(50), primary_key=True)
    endpoint_id: Mapped[uuid.UUID] = mapped_column(
        sa.Uuid, sa.ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class WebhookDelivery(Model):
    """One event for one webhook.

    Attributes:
        message_id: the `webhook-id` of every attempt and replay.
        event_id: the event of the audit log, from which the body is made when it is sent.
        action: of the event.
        user_id: the user whom the event is about, if it is about one; no foreign key, since it outlives them.
        state: a `State`, but never `HELD`.
        due_at: when the next attempt may start, while it waits.
        attempts: the number of attempts since it was created or replayed.
        ended_at: when it was delivered, failed or was dropped.
        last_status, last_error: of the last attempt.
        replayed_at: when it was last replayed.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        sa.Index("ix_webhook_deliveries_endpoint_id_state_due_at", "endpoint_id", "state", "due_at"),
        sa.Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    endpoint_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid)
    message_id: Mapped[uuid.UUID] = mapped_column(sa.Uuid)
    event_id: Mapped[int] = mapped_column(RowId)
    action: Mapped[str] = mapped_column(sa.String(50))
    user_id: Mapped[int | None] = mapped_column(RowId, index=True)
    state: Mapped[str] = mapped_column(sa.String(10))
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(sa.Integer)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_status: Mapped[int | None] = mapped_column(sa.Integer)
    last_error: Mapped[str | None] = mapped_column(sa.String(50))
    replayed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class WebhookAttempt(Model):
    """One request to a receiver.

    Attributes:
        status: of the response, if one came.
        error: why the attempt failed without a response, or with an unusable one.
        excerpt: the first printable characters of the response.
    """

    __tablename__ = "webhook_attempts"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(
        RowId, sa.ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), index=True
    )
    attempted_at: Mapped[datetime] = mapped_column(UTCDateTime)
    status: Mapped[int | None] = mapped_column(sa.Integer)
    error: Mapped[str | None] = mapped_column(sa.String(50))
    duration_ms: Mapped[int] = mapped_column(sa.Integer)
    excerpt: Mapped[str] = mapped_column(sa.String(EXCERPT_LENGTH))
