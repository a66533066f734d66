"""Subscribers of extensions to events: in the transaction, and by a worker after it was committed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa
from flask import Flask, current_app

from userapi import signals
from userapi.core import hooks
from userapi.core.hooks import Denied, Event, HookFailed, Hooks, Inside, InvalidHook
from userapi.outbound import notices
from userapi.outbound.notices import Kind, NotAccepted

from .names import is_known_pattern

log = logging.getLogger("userapi.audit")

#: The kind of the notices to subscribers.
EVENT = "event"

#: The `after` subscribers that caused an event, in the content of its notice.
CAUSES = "causes"

#: How long after an event a subscriber that fails is called again: over a long weekend.
MAX_AGE = timedelta(days=7)

#: The subscribers that are being called: those inside a transaction themselves, the others by name. The names include
#: those whose events led to this one.
_running: ContextVar[tuple[Inside | str, ...]] = ContextVar("running_subscribers", default=())


def configure(app: Flask) -> None:
    """Call what extensions have registered to be called after events, if there is any.

    Raises:
        InvalidHook: a subscriber names one of the service's actions that does not exist.
    """
    registered: Hooks = app.extensions[hooks.REGISTRY]
    for action in [each.action for each in registered.inside] + [each.action for each in registered.after.values()]:
        require_action("EXTENSIONS", action)
    if registered.after:
        notices.register(app, EVENT, Kind(_deliver, MAX_AGE, frozenset(registered.after)))


def is_anyone_interested(registered: Hooks) -> bool:
    """Whether an event is needed by any subscriber or receiver."""
    return bool(registered.inside or registered.after or signals.recorded.receivers)


def publish(event: Event, registered: Hooks) -> None:
    """Call the subscribers inside the transaction, and queue the event for the others in the same transaction.

    A subscriber does not get the events that it causes, itself or through others, which would have no end.

    Raises:
        Denied, HookFailed: a subscriber raised a problem or failed.
    """
    running = _running.get()
    for subscriber in registered.inside:
        if hooks.matches(subscriber.action, event.action) and subscriber not in running:
            with _mark_running(subscriber):
                hooks.call_inside(subscriber.function, event)
    thin = None
    for name, later in registered.after.items():
        if hooks.matches(later.action, event.action) and name not in running:
            causes = [each for each in running if isinstance(each, str)]
            thin = thin or {**asdict(replace(event, changes={})), CAUSES: causes}
            notices.queue(EVENT, name, thin)


@contextmanager
def _mark_running(*subscribers: Inside | str) -> Iterator[None]:
    token = _running.set((*_running.get(), *subscribers))
    try:
        yield
    finally:
        _running.reset(token)


def send_signal(event: Event) -> None:
    """Tell the receivers of the signal that an event was committed; what they raise is logged."""
    app: Any = current_app._get_current_object()  # type: ignore[attr-defined]
    for receiver in signals.recorded.receivers_for(app):
        try:
            receiver(app, event=event)
        except Exception:
            log.exception("receiver of a signal failed", extra={"action": event.action, "event_id": event.id})


def _deliver(notice: sa.Row[Any]) -> None:
    """Call a subscriber with an event.

    Raises:
        NotAccepted: it raised a problem.
        HookFailed: it raised something else.
    """
    content = orjson.loads(notice.content)
    causes = content.pop(CAUSES, ())
    moment, changed = datetime.fromisoformat(content["occurred_at"]), tuple(content["changed"])
    try:
        with _mark_running(notice.service, *causes):
            hooks.call(
                hooks.get_hooks().after[notice.service].function,
                Event(**{**content, "occurred_at": moment, "changed": changed}),
            )
    except Denied as problem:
        raise NotAccepted(problem.code) from problem
    except HookFailed as error:
        log.exception("subscriber failed", extra={"subscriber": notice.service, "event_id": content["id"]})
        raise NotAccepted(type(error.__cause__ or error).__name__) from error


def require_action(extension: str, action: str) -> None:
    """Reject a wrong name of our own actions, which would never be called; extensions name their own actions.

    Raises:
        InvalidHook: naming the extension.
    """
    if not is_known_pattern(action):
        raise InvalidHook(f"{extension}: action {action!r}: Not in docs/events.md.")
