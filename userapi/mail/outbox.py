"""Writing a letter: a row in the transaction that causes it, so that it is sent exactly when the act stands."""

from typing import Any

from flask import render_template

from userapi.core import clock
from userapi.core.db import db

from .models import Message

#: Stands in the place of a token once the letter is sent.
BLANK = "…"


def write(kind: str, recipient: str, subject: str, *, secret: str | None = None, **facts: Any) -> Message:
    """Add a letter to the present transaction.

    Args:
        kind: names the templates `mail/<kind>.txt` and `mail/<kind>.html`.
        recipient: the one address it goes to.
        subject: one line.
        secret: the one-time token in it, blanked once it is sent.
        facts: what the templates say.
    """
    message = Message(
        created_at=clock.now(),
        kind=kind,
        recipient=recipient,
        subject=" ".join(subject.split()),
        text=render_template(f"mail/{kind}.txt", **facts),
        html=render_template(f"mail/{kind}.html", **facts),
        secret=secret,
        due_at=clock.now(),
    )
    db.session.add(message)
    return message
