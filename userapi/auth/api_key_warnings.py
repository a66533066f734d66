"""Emails about API keys: before they expire, and when they are used from another IP address.

The owner gets them; for the key of a service account, which has no mailbox, the superusers do.
"""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from flask import Flask, current_app

from userapi.audit import audit_log
from userapi.core import clock, job_runner
from userapi.core.db import db
from userapi.core.email_domains import is_service_address
from userapi.mail import api_key_emails
from userapi.security import throttling
from userapi.users import queries as user_queries
from userapi.users import service_accounts
from userapi.users.models import User

from . import api_key_warning_queries as queries

#: The days before the end of a key on which its owner is warned.
WARNINGS = (14, 7, 1)

#: These, and the end itself.
STAGES = (*WARNINGS, 0)

#: How often the thread of a server looks for keys that end soon, in seconds.
INTERVAL = 3600.0

#: The keys that are looked at together.
BATCH = 100

#: A key that was used from more IP addresses is expected to move: no more of them are stored or reported.
MAX_KNOWN_ADDRESSES = 20


def configure(app: Flask) -> None:
    """Warn of keys that end soon while the application serves, unless the settings leave that to others."""
    if not app.config["API_KEY_MAX_LIFETIME"]:
        return
    next_round = 0.0

    def warn_hourly(*, stop: Callable[[], bool]) -> bool:
        nonlocal next_round
        if time.monotonic() >= next_round:
            warn_of_ends(stop=stop)
            next_round = time.monotonic() + INTERVAL
        return False

    job_runner.register(app, warn_hourly)


def warn_of_ends(*, stop: Callable[[], bool] = lambda: False) -> int:
    """Email the owners of keys that expire soon, and record which have expired; each once, with any number of workers.

    Args:
        stop: called after each key; true ends it early.

    Returns:
        The number of keys whose owners got an email.
    """
    warned = 0
    while due := queries.list_due(clock.now(), STAGES, BATCH):
        for key in due:
            warned += _warn(key)
            if stop():
                return warned
    return warned


def _warn(key: Any) -> bool:
    """Deal with one key in its own transaction; whether its owner got an email."""
    now = clock.now()
    days = min(each for each in STAGES if key.expires_at <= now + timedelta(days=each))
    gets_email = bool(days) and _is_worth_an_email(key, days)
    if queries.mark_warned(key.id, key.expires_at, days):
        if not days:
            changes = {"api_key_id": (key.id, None), "name": (key.name, None)}
            audit_log.record("api_key.expired", "user", key.user_id, changes)
        elif gets_email:
            for user in _list_recipients(key.user_id, key.email):
                api_key_emails.send_key_expires(user, when=key.expires_at, **_facts(key.name, key))
    else:
        gets_email = False
    db.session.commit()
    return gets_email


def _is_worth_an_email(key: Any, days: int) -> bool:
    """Whether the end of a key matters to someone, and was not as near when the key was created."""
    lasted = key.expires_at - key.created_at > timedelta(days=days)
    return bool(key.is_active and key.replaced_by is None and lasted)


def watch_address(row: Any, address: str | None) -> None:
    """Email the owner of a key when it is used from another IP address for the first time.

    Args:
        row: of `api_key_queries.read_holder`.
        address: of the request.
    """
    known = (row.known_addresses or "").split() or ([throttling.ip_subject(row.last_address)] * bool(row.last_address))
    subject = throttling.ip_subject(address)
    if not known or subject in known or len(known) >= MAX_KNOWN_ADDRESSES:
        return
    if queries.store_addresses(row.key_id, row.known_addresses, " ".join([*known, subject])):
        for user in _list_recipients(row.id, row.email):
            api_key_emails.send_key_used_elsewhere(user, when=clock.now(), ip=address, **_facts(row.key_name, row))
    db.session.commit()


def _list_recipients(user_id: int, email: str) -> Sequence[User]:
    """Who gets emails about the keys of a user."""
    if is_service_address(email):
        return user_queries.list_recipients(None)
    owner = db.session.get(User, user_id)
    return [] if owner is None else [owner]


def _facts(name: str, row: Any) -> dict[str, Any]:
    """What emails say about a key, given with the email of its owner."""
    is_of_service = is_service_address(row.email)
    page = "admin/service-accounts" if is_of_service else "account/keys"
    return {
        "key": name,
        "last4": row.last4,
        "account": service_accounts.name_of(row) if is_of_service else "",
        "link": f"{current_app.config['SITE_URL']}/{page}/",
    }
