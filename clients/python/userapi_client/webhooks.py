"""Receiving webhooks that are signed by Standard Webhooks, version 1 (https://www.standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence

from .errors import InvalidWebhook
from .events import Event, InvalidEvent, parse_body
from .stores import Store

#: What the account service shows before the secret itself.
PREFIX = "whsec_"

#: The minimum length of a secret in bytes.
MIN_SECRET = 16

#: Seconds that a webhook may be old, or new if the clocks differ.
TOLERANCE = 300

#: Seconds for which handled webhooks are remembered: longer than the account service sends one again by itself.
REMEMBERED_FOR = 5 * 86_400

#: The maximum number of signatures that are compared. During a rotation there are two.
MAX_SIGNATURES = 8

#: What a `webhook-id` may look like.
MESSAGE_ID = re.compile(r"[!-~]{1,255}")

#: What a `webhook-timestamp` may look like.
SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


class Receiver:
    """Checks and reads the webhooks of one endpoint.

    Args:
        secrets: its secret, `whsec_…`, or several of them during a rotation.
        tolerance: the maximum age in seconds.
        store: where handled webhooks are remembered; None if nothing is.
        clock: the time in seconds since 1970.

    Raises:
        ValueError: a secret is malformed.
    """

    def __init__(
        self,
        secrets: str | Sequence[str],
        *,
        tolerance: int = TOLERANCE,
        store: Store | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given:
            raise ValueError("a receiver needs a secret")
        self._secrets = [_decode_secret(secret) for secret in given]
        self._tolerance, self._store, self._clock = tolerance, store, clock

    def receive(self, headers: Mapping[str, str], body: bytes) -> Event:
        """The event of a webhook.

        Args:
            headers: of the request.
            body: the bytes of the request, exactly as they came.

        Raises:
            InvalidWebhook: the account service did not send it with one of the secrets, or it is too old. Respond with
                400 or 401; the account service then tries again later.
        """
        given = {name.lower(): value for name, value in headers.items()}
        try:
            message_id, second, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        except KeyError as error:
            raise InvalidWebhook(f"the header {error.args[0]} is missing") from error
        if not MESSAGE_ID.fullmatch(message_id) or not SECONDS.fullmatch(second):
            raise InvalidWebhook("a malformed header")
        if not self._is_signed(message_id, second, body, signatures):
            raise InvalidWebhook("no signature matches")
        if abs(self._clock() - int(second)) > self._tolerance:
            raise InvalidWebhook("too old or too new")
        try:
            return parse_body(body, message_id)
        except InvalidEvent as error:
            raise InvalidWebhook(str(error)) from error

    def was_handled(self, event: Event) -> bool:
        """Whether a webhook came before and was handled. Respond to it as to the first one."""
        if self._store is None:
            return False
        key = f"webhook:{event.message_id}"
        return key in self._store.read((key,))

    def mark_handled(self, event: Event) -> None:
        """Remember that a webhook was handled. Call it when that is certain, or it is lost if you fail."""
        if self._store is not None:
            self._store.put(f"webhook:{event.message_id}", "handled", REMEMBERED_FOR)

    def _is_signed(self, message_id: str, second: str, body: bytes, signatures: str) -> bool:
        """Whether one of the signatures is right. It takes as long whichever it is."""
        content = b".".join((message_id.encode(), second.encode(), body))
        right = [hmac.digest(secret, content, hashlib.sha256) for secret in self._secrets]
        matches = 0
        for signature in signatures.split(" ", MAX_SIGNATURES)[:MAX_SIGNATURES]:
            version, _, encoded = signature.partition(",")
            given = _decode(encoded) if version == "v1" else b""
            matches += sum(hmac.compare_digest(given, each) for each in right)
        return matches > 0


def _decode(text: str) -> bytes:
    """The bytes of a signature; none if it is malformed."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error, or a character outside ASCII
        return b""


def _decode_secret(secret: str) -> bytes:
    try:
        decoded = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a secret of a webhook looks like whsec_ and base64") from error
    if len(decoded) < MIN_SECRET:
        raise ValueError("the secret of a webhook is too short")
    return decoded
