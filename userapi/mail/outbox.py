"""Writing a letter: a row in the transaction that causes it, so that it is sent exactly when the act stands."""

from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from flask import Flask, current_app

from userapi.audit import audit_log
from userapi.core import clock, loop
from userapi.core.context import acting
from userapi.core.db import db
from userapi.core.i18n import in_words, speaking

from . import queries
from .models import Message

#: Stands in the place of a token once the letter is sent.
BLANK = "…"

#: The name of the loop that delivers emails.
LOOP = "email-delivery"


def configure(app: Flask) -> None:
    """Look for the templates of letters in the deployer's folder first."""
    folder = app.config["MAIL_TEMPLATES"]
    if folder:
        own = jinja2.PrefixLoader({"mail": jinja2.FileSystemLoader(Path(folder))})
        app.jinja_loader = jinja2.ChoiceLoader([own, *([app.jinja_loader] if app.jinja_loader else [])])


def write(
    kind: str,
    recipient: str,
    subject: Any,
    *,
    user_id: int | None = None,
    language: str | None = None,
    secret: str | None = None,
    **facts: Any,
) -> Message:
    """Add a letter to the present transaction.

    Args:
        kind: names the templates `mail/<kind>.txt` and `mail/<kind>.html`.
        recipient: the one address it goes to.
        subject: one line; a lazy text is put into the letter's language.
        user_id: of the account that it is about; it is deleted with that account.
        language: that the letter is in, one on offer; that of the request when it is None.
        secret: the one-time token in it, blanked once it is sent.
        facts: what the templates say; moments are put into words. They also know the `subject`, our `site`, and when
            and from which network address the letter was asked for: `asked_at`, `asked_from`.
    """
    now = clock.now()
    facts |= {"site": urlsplit(current_app.config["SITE_URL"]).netloc, "asked_at": now, "asked_from": acting().address}
    with speaking(language):
        facts["subject"] = _one_line(str(subject))
        facts |= {name: in_words(fact) for name, fact in facts.items() if isinstance(fact, datetime)}
        message = Message(
            created_at=now,
            kind=kind,
            user_id=user_id,
            recipient=recipient,
            subject=facts["subject"],
            text=_render(f"mail/{kind}.txt", facts),
            html=_render(f"mail/{kind}.html", facts),
            secret=secret or None,
            due_at=now,
        )
    db.session.add(message)
    loop.wake_on_commit(LOOP)
    return message


def retry(message_id: int | None = None) -> int:
    """Give one email that is not sent, or all that were given up, all their attempts again; how many there were."""
    count = queries.make_due(clock.now(), message_id)
    if count and message_id is not None:
        audit_log.record("message.retried", "message", message_id)
    elif count:
        audit_log.record("message.retried", changes={"emails": (None, count)})
    return count


def _one_line(text: str) -> str:
    return "".join(character for character in " ".join(text.split()) if character.isprintable())[:200]


def _render(template: str, facts: dict[str, Any]) -> str:
    """The text of a letter, the same whichever request caused it: no context processor has a say in it."""
    return current_app.jinja_env.get_template(template).render(facts)
