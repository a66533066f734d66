"""Mail: the server takes us, and letters leave."""

import smtplib
from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa
from flask import current_app

import config
from userapi.core import clock
from userapi.mail import queries
from userapi.mail.queries import State
from userapi.mail.relay import Relay

from .findings import Finding, ok, said, trouble, warning

#: A letter that has waited longer is stuck.
PATIENCE = timedelta(minutes=15)


def check() -> Iterator[Finding]:
    """Look at the mail server and the outbox."""
    settings = current_app.config
    if settings["MAIL_SERVER"]:
        yield from _server()
        yield from _outbox()
    elif settings["EMAIL_VERIFICATION"] == "mandatory":
        yield trouble("mail", "MAIL_SERVER is not set, and EMAIL_VERIFICATION is mandatory: nobody new can sign in.")
    else:
        yield warning("mail", "MAIL_SERVER is not set: letters are kept, and `flask mail list` shows them.")


def _server() -> Iterator[Finding]:
    settings = current_app.config
    server = f"{settings['MAIL_SERVER']}:{settings['MAIL_PORT']}"
    try:
        with Relay() as relay:
            relay.host = relay.configure_host()
            code, words = relay.host.noop()
    except (OSError, smtplib.SMTPException) as error:
        yield trouble("mail", f"MAIL_SERVER: {server}: {said(error)}. Is it up, and are MAIL_* right?")
        return
    if code >= 400:
        yield trouble("mail", f"MAIL_SERVER: {server}: {code} {words.decode(errors='replace')[:100]}")
        return
    encrypted = settings["MAIL_USE_TLS"] or settings["MAIL_USE_SSL"]
    how = ("with TLS" if encrypted else "in the clear") + (", signed in" if settings["MAIL_USERNAME"] else "")
    if encrypted or settings["MAIL_SERVER"] in config.LOOPBACK:
        yield ok("mail", f"{server} takes us {how}")
    else:
        yield warning("mail", f"{server} takes us {how}: links cross the network readable. Set MAIL_USE_TLS.")


def _outbox() -> Iterator[Finding]:
    try:
        waiting, oldest = queries.backlog()
        given_up = queries.listed(State.GIVEN_UP, 1)
    except sa.exc.SQLAlchemyError:
        return  # the database's check has told it
    age = clock.now() - oldest if oldest else timedelta()
    if age > PATIENCE:
        yield trouble(
            "mail",
            f"{waiting} letters wait, the oldest for {age.total_seconds() / 60:.0f} minutes. Does anything deliver, as "
            "MAIL_DELIVERY says? `flask mail list` tells what the mail server said.",
        )
    else:
        yield ok("mail", f"{waiting} letters wait")
    if given_up:
        yield warning("mail", "Letters were given up: `flask mail list --state given-up`, then `flask mail retry`.")
