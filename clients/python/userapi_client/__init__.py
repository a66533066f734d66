"""Verify the access tokens and webhooks of a userapi account service in other services.

`userapi_client.flask`, `.fastapi`, `.django` and `.django_rest` are for these frameworks, and import them.
"""

from .claims import Claims
from .ended_sessions import EndedSessions
from .errors import (
    InsufficientProof,
    InsufficientScope,
    InvalidToken,
    InvalidWebhook,
    KeysUnavailable,
    NotSignedIn,
    Rejected,
    TokenExpired,
    TokenRevoked,
)
from .events import Event
from .feed import FeedReader
from .stores import MemoryStore, SqliteStore, Store
from .verifier import Verifier
from .webhooks import Receiver

__all__ = [
    "Claims",
    "EndedSessions",
    "Event",
    "FeedReader",
    "InsufficientProof",
    "InsufficientScope",
    "InvalidToken",
    "InvalidWebhook",
    "KeysUnavailable",
    "MemoryStore",
    "NotSignedIn",
    "Receiver",
    "Rejected",
    "SqliteStore",
    "Store",
    "TokenExpired",
    "TokenRevoked",
    "Verifier",
]
