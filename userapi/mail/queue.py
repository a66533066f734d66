"""Queues emails: each is a row in the transaction that causes it, and is sent only if that transaction commits."""

from datetime import datetime
from typing import Any

from flask import current_app
from flask_babel.speaklater import LazyString

from userapi.audit import audit_log
from userapi.core import clock, loop
from userapi.core.context import get_acting_context
from userapi.core.db import db
from userapi.core.email_domains import is_service_address
from userapi.core.i18n import format_timestamp, use_language

from . import queries
from .models import EmailMessage

#: Replaces the token in an email that was sent.
REDACTED = "…"

#: The name of the loop that delivers emails.
LOOP = "email-delivery"

MAX_SUBJECT_LENGTH = 200


def add(
    kind: str,
    recipient: str,
    subject: Any,
    *,
    user_id: int | None = None,
    language: str | None = None,
    secret: str | None = None,
    not_after: datetime | None = None,
    not_before: datetime | None = None,
    **facts: Any,
) -> EmailMessage:
    """Add an email to the current transaction; none is added for a service account, which has no mailbox.

    Args:
        kind: the name of the templates `mail/<kind>.txt` and `mail/<kind>.html`.
        recipient: the one email address that it is sent to.
        subject: one line; a lazy text is translated into the language of the email.
        user_id: the account that the email is about; deleting the account deletes the email.
        language: one of the available languages; None: the language of the request.
        secret: the single-use tokens in it, one a line, removed once it is sent.
        not_after: from when on it is not sent any more, because what it contains has expired.
        not_before: when it is sent at the earliest; None: now.
        facts: the variables of the templates; moments become text. The templates also have the `subject`, the `site`,
            and when and from which IP address the email was requested: `requested_at`, `requested_from`.
    """
    now = clock.now()
    facts |= {
        "requested_at": now,
        "requested_from": get_acting_context().ip_address,
    }
    with use_language(language):
        facts["subject"] = _one_line(str(subject))
        facts = {name: _as_text(fact) for name, fact in facts.items()}
        email = EmailMessage(
            created_at=now,
            kind=kind,
            user_id=user_id,
            recipient=recipient,
            subject=facts["subject"],
            text=_render(f"mail/{kind}.txt", facts),
            html=_render(f"mail/{kind}.html", facts),
            secret=secret or None,
            expires_at=not_after,
            due_at=not_before or now,
        )
    if not is_service_address(recipient):
        db.session.add(email)
        loop.wake_on_commit(LOOP)
    return email


def remove_secrets(secret: str | None, text: str) -> str:
    """A text without the single-use tokens of its email."""
    for token in (secret or "").splitlines():
        text = text.replace(token, REDACTED)
    return text


def retry(email_id: int | None = None) -> int:
    """Queue one unsent email, or all failed ones, again, with no attempts counted; returns the number."""
    count = queries.make_due(clock.now(), email_id)
    if count and email_id is not None:
        audit_log.record("message.retried", "message", email_id)
    elif count:
        audit_log.record("message.retried", changes={"emails": (None, count)})
    return count


def _as_text(fact: Any) -> Any:
    """A moment or lazy text as text in the present language; templates would take a lazy text for markup."""
    if isinstance(fact, datetime):
        return format_timestamp(fact)
    return str(fact) if isinstance(fact, LazyString) else fact


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return "".join(character for character in line if character.isprintable())[:MAX_SUBJECT_LENGTH]


def _render(template: str, facts: dict[str, Any]) -> str:
    # Without Flask's context processors, so that an email does not depend on the request that causes it.
    return current_app.jinja_env.get_template(template).render(facts)
