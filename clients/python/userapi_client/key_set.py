"""The public keys of the account service: fetched when they are needed, and kept while it does not respond."""

import json
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, NamedTuple

import jwt

log = logging.getLogger(__name__)

#: The only algorithm that the account service signs with.
ALGORITHM = "ES256"

#: Seconds after which keys are fetched again in the background.
REFRESH_AFTER = 240

#: Seconds for which keys are used without asking whether they are still valid.
FRESH_FOR = 300

#: Seconds for which keys are used while the account service does not respond: a day.
STALE_FOR = 86_400

#: Seconds between two fetches for keys that are not known, and between two after a failure.
PAUSE = 30

#: The same while no key is known at all.
PAUSE_WITHOUT_KEYS = 5

#: Seconds that a fetch may take; no one waits longer for one.
TIMEOUT = 5.0

#: Seconds that a request whose key is known but not fresh waits for a fetch.
LONGEST_WAIT = 1.0

#: The maximum size of a key set in bytes.
MAX_SIZE = 65_536


class FetchFailed(Exception):
    """The account service did not respond, or not with what is expected.

    Attributes:
        status: of its response, if it is an error.
    """

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class _Held(NamedTuple):
    """The keys of one response, by their ids, and when it was requested."""

    keys: Mapping[str, jwt.PyJWK]
    fetched_at: float


class _Fetch:
    """A fetch that runs in its own thread."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.done = threading.Event()


class KeySet:
    """The keys of one issuer. Threads share them; every process fetches its own.

    Args:
        url: of the key set.
        fetch: returns the document at a URL, or raises FetchFailed.
        clock: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        url: str,
        *,
        fetch: Callable[[str], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise ValueError(f"not a URL of a web service: {url}")
        self._url, self._fetch_document, self._clock = url, fetch or fetch_json, clock
        self._has_failed = False
        self._held: _Held | None = None
        self._forget_fetches()

    def _forget_fetches(self) -> None:
        """Begin without a fetch, as in a process that was forked: the threads of its parent do not run in it."""
        self._lock = threading.Lock()  # guards the two below, and is never held while something is fetched
        self._fetch: _Fetch | None = None
        self._last_started: float | None = None
        self._process_id = os.getpid()

    def find(self, kid: str) -> jwt.PyJWK | None:
        """The key with an id; None if the issuer has no such key.

        A known key is returned without waiting while it is fresh. Later, one short wait tells whether the issuer
        still has it; if the issuer does not respond, the key is used for a day.
        """
        now, held = self._clock(), self._held
        age = None if held is None else now - held.fetched_at
        if held is not None and age is not None and age < STALE_FOR and kid in held.keys:
            if age >= REFRESH_AFTER:
                fetch = self._begin_fetch(now)
                if age >= FRESH_FOR and fetch is not None and not self._has_failed:
                    fetch.done.wait(max(0.0, LONGEST_WAIT - (now - fetch.started_at)))
        else:
            fetch = self._begin_fetch(now)
            if fetch is not None:
                fetch.done.wait(TIMEOUT)
        usable = self._usable()
        return None if usable is None else usable.keys.get(kid)

    @property
    def is_unavailable(self) -> bool:
        """Whether it is not known which keys there are: the issuer has not responded for a day, or never."""
        return self._usable() is None

    def _usable(self) -> _Held | None:
        held = self._held
        return held if held is not None and self._clock() - held.fetched_at < STALE_FOR else None

    def _begin_fetch(self, now: float) -> _Fetch | None:
        """The fetch that runs, or a new one; None if it is too early for another one."""
        if os.getpid() != self._process_id:
            self._forget_fetches()
        with self._lock:
            running = self._fetch
            if running is not None and not running.done.is_set() and now - running.started_at < 2 * TIMEOUT:
                return running
            if self._last_started is not None and now - self._last_started < self._pause():
                return None
            self._last_started = now
            fetch = self._fetch = _Fetch(now)
        threading.Thread(target=self._run, args=(fetch,), name="userapi-client-keys", daemon=True).start()
        return fetch

    def _pause(self) -> float:
        return PAUSE_WITHOUT_KEYS if self.is_unavailable else PAUSE

    def _run(self, fetch: _Fetch) -> None:
        try:
            keys = parse_keys(self._fetch_document(self._url))
        except Exception as error:  # FetchFailed, and whatever another `fetch` raises
            self._has_failed = True
            log.warning("the public keys could not be fetched", extra={"url": self._url, "error": str(error)})
        else:
            with self._lock:
                if self._held is None or self._held.fetched_at <= fetch.started_at:
                    self._held, self._has_failed = _Held(keys, fetch.started_at), False
        finally:
            fetch.done.set()


def parse_keys(document: Any) -> dict[str, jwt.PyJWK]:
    """The usable keys of a key set (RFC 7517) by their ids.

    Raises:
        FetchFailed: the document is not a key set.
    """
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise FetchFailed("not a key set")
    try:
        keys = jwt.PyJWKSet.from_dict(document).keys
    except jwt.PyJWKSetError:  # no key that can be used
        return {}
    except Exception as error:  # a member of a key has a type that PyJWT does not expect
        raise FetchFailed(f"not a key set: {error}") from error
    return {key.key_id: key for key in keys if key.key_id and key.algorithm_name == ALGORITHM}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        """Follow no redirect: the keys are those of the issuer."""


def fetch_json(
    url: str, headers: Mapping[str, str] | None = None, timeout: float = TIMEOUT, max_size: int = MAX_SIZE
) -> Any:
    """The JSON document at a URL.

    Args:
        url: with http or https.
        headers: of the request.
        timeout: in seconds, for each step and for the whole body.
        max_size: of the body, in bytes.

    Raises:
        FetchFailed: there is none, or it is too large or takes too long.
    """
    request = urllib.request.Request(url, headers={"Accept": "application/json", **(headers or {})})  # noqa: S310
    deadline = time.monotonic() + timeout
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout) as response:
            content = b""
            while part := response.read1(65_536):
                content += part
                if len(content) > max_size:
                    raise FetchFailed("the response is too large")
                if time.monotonic() > deadline:
                    raise FetchFailed("the response takes too long")
            return json.loads(content)
    except urllib.error.HTTPError as error:
        error.close()
        raise FetchFailed(f"status {error.code}", error.code) from error
    except (OSError, HTTPException, ValueError, RecursionError) as error:  # URLError and timeouts are OSErrors
        raise FetchFailed(str(error) or type(error).__name__) from error
