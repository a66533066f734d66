"""Disabling webhooks that do not work, and telling those who can fix them."""

from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from userapi.audit import audit_log
from userapi.core import clock
from userapi.mail import webhook_emails
from userapi.users import queries as user_queries

from . import queries
from .endpoints import KIND
from .models import DisabledReason


def disable_broken(endpoint: Any, reason: DisabledReason) -> None:
    """Disable a webhook, record it and email its maker and the superusers, once.

    Args:
        endpoint: the row of the webhook.
        reason: why.
    """
    now = clock.now()
    if not queries.disable(endpoint.id, reason, now):
        return
    audit_log.record("webhook.disabled", KIND, endpoint.id, {"reason": (None, reason.value)})
    host = urlsplit(endpoint.url).hostname or ""
    link = f"{current_app.config['SITE_URL']}/admin/webhooks/"
    for user in user_queries.list_recipients(endpoint.maker_id):
        webhook_emails.send_webhook_disabled(
            user, host=host, is_gone=reason is DisabledReason.GONE, link=link, when=now
        )
