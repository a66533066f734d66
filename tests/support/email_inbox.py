"""The emails in the database, as their recipients read them."""

import re
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Flask

from userapi.core.db import db
from userapi.mail.models import EmailMessage


@dataclass(frozen=True)
class Email:
    """An email in the database."""

    kind: str
    recipient: str
    subject: str
    text: str
    html: str
    secret: str | None

    @property
    def link(self) -> str:
        """The URL that ends with the secret."""
        (link,) = re.findall(rf"https?://\S*/{re.escape(str(self.secret))}/", self.text)
        return str(link)

    @property
    def token(self) -> str:
        """The last part of the link."""
        return self.link.rstrip("/").rpartition("/")[2]

    @property
    def uid(self) -> str:
        """The part of a reset link before the token; it names the account."""
        return self.link.rstrip("/").split("/")[-2]


def all_emails(app: Flask, kind: str | None = None) -> list[Email]:
    """All emails, or those of one kind, oldest first."""
    with app.app_context():
        found = db.session.scalars(sa.select(EmailMessage).order_by(EmailMessage.id)).all()
        return [
            Email(message.kind, message.recipient, message.subject, message.text, message.html, message.secret)
            for message in found
            if kind in (None, message.kind)
        ]


def emails_to(app: Flask, recipient: str, kind: str | None = None) -> list[Email]:
    """The emails to exactly this email address."""
    return [email for email in all_emails(app, kind) if email.recipient == recipient]
