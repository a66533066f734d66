"""Sessions that have ended, as webhooks or the event feed say, so that their tokens are rejected within seconds."""

from collections.abc import Mapping

from .claims import Claims
from .events import Event
from .stores import MemoryStore, Store

#: The events after which sessions no longer count: those that they name, or all of the user.
OF_SESSIONS = ("session.ended", "session.ended_all", "session.token_reused")

#: The events after which no session of the user counts.
OF_USERS = ("user.deactivated", "user.deleted", "service_account.deleted")

#: The event after which no session of any user counts.
OF_ALL = "sessions.ended_all"

#: The events to subscribe a webhook to.
EVENTS = (*OF_SESSIONS, *OF_USERS, OF_ALL)


class EndedSessions:
    """Remembers which sessions have ended, as long as tokens of them may exist.

    Args:
        lifetime: seconds that access tokens are valid: the `ACCESS_TOKEN_LIFETIME` of the account service.
        store: where to remember; by default in the memory of this process. Several processes need one store.
    """

    def __init__(self, lifetime: int = 900, store: Store | None = None) -> None:
        self._seconds = lifetime + 60  # clocks differ
        self._store = store or MemoryStore()

    def handle(self, event: Event) -> bool:
        """Remember what an event says about sessions; whether it says something. An event may arrive twice, or late."""
        if event.sessions is not None:
            for session_id in event.sessions:
                self._store.put(f"session:{session_id}", "ended", self._seconds)
        elif event.type in (*OF_SESSIONS, *OF_USERS) and event.user_id is not None:
            self._end_before(f"user:{event.user_id}", event)
        elif event.type == OF_ALL:
            self._end_before("everyone", event)
        else:
            return False
        return True

    def is_ended(self, claims: Claims) -> bool:
        """Whether the session of a token has ended."""
        session, user = f"session:{claims.session_id}", f"user:{claims.user_id}"
        found = self._store.read((session, user, "everyone"))
        return session in found or any(claims.issued_at <= _second(found, key) for key in (user, "everyone"))

    def _end_before(self, key: str, event: Event) -> None:
        """Reject tokens that were issued before an event, or in the same second."""
        second = int(event.timestamp.timestamp())
        if second > _second(self._store.read((key,)), key):
            self._store.put(key, str(second), self._seconds)


def _second(found: Mapping[str, str], key: str) -> int:
    return int(found.get(key, "-1"))
