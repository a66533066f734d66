"""Reading the event feed of the account service, for services that webhooks cannot reach."""

import logging
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

from .events import Event, InvalidEvent, parse_event
from .key_set import FetchFailed, fetch_json
from .stores import Store

log = logging.getLogger(__name__)

#: The name of the position in a store, and the seconds for which it is kept.
POSITION, POSITION_KEPT_FOR = "feed:after", 7 * 86_400

#: The number of events of one request, and the maximum size of the response.
PAGE_SIZE, MAX_SIZE = 200, 1_048_576

#: Where to begin without a position: with what happens from now on.
LATEST = "latest"


class FeedReader:
    """Passes each new event to a function. An event may arrive twice after an error; none is left out.

    Args:
        issuer: the URL of the account service.
        api_key: an API key with the scope `events`.
        handle: what is called with each event.
        store: where the position is kept, so that the next start goes on there; without one, a start begins with what
            happens from then on.
        interval: seconds between two requests when nothing is new.
        fetch: fetches a JSON document; another one in tests.
    """

    def __init__(
        self,
        issuer: str,
        api_key: str,
        handle: Callable[[Event], object],
        *,
        store: Store | None = None,
        interval: float = 2.0,
        fetch: Callable[..., Any] = fetch_json,
    ) -> None:
        self._url = f"{issuer.rstrip('/')}/userapi/events/"
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._handle, self._store, self._interval, self._fetch = handle, store, interval, fetch
        kept = store.read((POSITION,)) if store is not None else {}
        self._position = kept.get(POSITION, LATEST)
        self._stopped = threading.Event()

    def read(self) -> int:
        """Handle the events since the last call; returns their number.

        Raises:
            FetchFailed: the account service does not respond with events.
        """
        count = 0
        while True:
            page = self._read_page()
            try:
                events, position = [parse_event(each) for each in page["results"]], str(page["after"])
            except (KeyError, TypeError, InvalidEvent) as error:
                raise FetchFailed(f"not a page of the feed: {error}") from error
            for event in events:
                self._handle(event)
            count += len(events)
            is_at_end = position == self._position or self._position == LATEST
            self._move_to(position)
            if is_at_end or self._stopped.is_set():
                return count

    def start(self) -> None:
        """Read until `stop`, in a thread that ends with the process. Call it once in each process."""
        threading.Thread(target=self._run, name="userapi-client-feed", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.read()
            except FetchFailed as error:
                log.warning("the event feed could not be read", extra={"error": str(error)})
            except Exception:
                log.exception("an event could not be handled")
            self._stopped.wait(self._interval)

    def _read_page(self) -> Any:
        query = urllib.parse.urlencode({"after": self._position, "limit": PAGE_SIZE})
        try:
            return self._fetch(f"{self._url}?{query}", headers=self._headers, max_size=MAX_SIZE)
        except FetchFailed as error:
            if error.status in (400, 410) and self._position != LATEST:  # events are missing, or it is another database
                log.error("events after the last position are gone", extra={"error": str(error)})
                self._move_to(LATEST)
            raise

    def _move_to(self, position: str) -> None:
        if position != self._position:
            self._position = position
            if self._store is not None:
                self._store.put(POSITION, position, POSITION_KEPT_FOR)
