"""What users allow clients: storing it, and checking it when tokens are issued.

Clients of the operator need no consent.
"""

from datetime import datetime
from typing import Any

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.core.db import db
from userapi.mail import app_emails

from . import clients, family_queries, queries, scopes
from .problems import OAuthError


def remember(user_id: int, client: Any, allowed: str) -> None:
    """Store what a user allows a client, in addition to what the user has allowed it before.

    Args:
        user_id: the user.
        client: its row.
        allowed: scopes, separated by spaces.
    """
    if client.is_first_party:
        return
    now = clock.now()
    if queries.add_consent(user_id, client.id, allowed, now):
        _record(user_id, client, "", allowed)
        _report_first(user_id, client, now)
        return
    consent = queries.lock_consent(user_id, client.id)
    if consent is None:  # withdrawn a moment ago: this is a new one
        remember(user_id, client, allowed)
        return
    before, after = consent.scopes, scopes.join([*scopes.split(consent.scopes), *scopes.split(allowed)])
    if before != after:
        consent.scopes, consent.changed_at = after, now
        db.session.flush()
        _record(user_id, client, before, after)


def require(user_id: int, client: Any, granted: str) -> None:
    """Check that a user still allows what was granted; it is not withdrawn before the transaction ends.

    Raises:
        OAuthError: it was withdrawn, perhaps while the code was issued.
    """
    if client.is_first_party:
        return
    allowed = scopes.split(queries.lock_allowed_scopes(user_id, client.id))
    if any(name not in allowed for name in scopes.split(granted)):
        raise OAuthError("invalid_grant", "The user does not allow this any more.")


def _record(user_id: int, client: Any, before: str, after: str) -> None:
    facts = {**clients.describe_begin(client), "scopes": (before or None, after)}
    audit_log.record("consent.given", "user", user_id, facts)


def _report_first(user_id: int, client: Any, now: datetime) -> None:
    user = family_queries.read_user(user_id)
    if user is not None:
        link = f"{current_app.config['SITE_URL']}/account/apps/"
        app_emails.send_app_allowed(user, app=client.name, link=link, when=now)
