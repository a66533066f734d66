"""Reading the letters that were written, as those do who receive them."""

import re
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Flask

from userapi.core.db import db
from userapi.mail.models import Message


@dataclass(frozen=True)
class Email:
    """A letter in the outbox."""

    kind: str
    recipient: str
    subject: str
    text: str
    html: str
    secret: str | None

    @property
    def link(self) -> str:
        """The address to open: the one that ends with the secret."""
        (link,) = re.findall(rf"https?://\S*/{re.escape(str(self.secret))}/", self.text)
        return str(link)

    @property
    def token(self) -> str:
        """The last part of the link."""
        return self.link.rstrip("/").rpartition("/")[2]

    @property
    def uid(self) -> str:
        """The part before it, which names the account in a reset link."""
        return self.link.rstrip("/").split("/")[-2]


def all_emails(app: Flask, kind: str | None = None) -> list[Email]:
    """Every letter that was written, or those of one kind, the oldest first."""
    with app.app_context():
        found = db.session.scalars(sa.select(Message).order_by(Message.id)).all()
        return [
            Email(message.kind, message.recipient, message.subject, message.text, message.html, message.secret)
            for message in found
            if kind in (None, message.kind)
        ]


def emails_to(app: Flask, address: str, kind: str | None = None) -> list[Email]:
    """The letters to an address, in exactly this spelling."""
    return [letter for letter in all_emails(app, kind) if letter.recipient == address]
