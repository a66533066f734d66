"""Checks of the mail server, which must accept a connection with these settings, of failed emails, and of codes."""

import smtplib
from collections.abc import Iterator

import sqlalchemy as sa
from flask import current_app

from userapi.core.database_errors import first_line_of_error
from userapi.health.findings import Finding, failure, ok, warning
from userapi.mail import queries
from userapi.mail.queries import State
from userapi.mail.relay import Relay
from userapi.settings import LOOPBACK_HOSTS


def check() -> Iterator[Finding]:
    """Connect to the mail server, count failed emails, and look at the settings of codes by email."""
    if current_app.config["MAIL_SERVER"]:
        yield from _server()
        yield from _failed_emails()
    if current_app.config["SIGN_IN_BY_MAIL"] != "none":
        yield from _codes()


def _codes() -> Iterator[Finding]:
    settings = current_app.config
    if not settings["MAIL_SERVER"]:
        yield warning(
            "sign-in",
            "SIGN_IN_BY_MAIL is set, and MAIL_SERVER is not: codes to sign in are stored and not sent. Set it.",
        )
    if settings["EMAIL_VERIFICATION"] == "none":
        yield warning(
            "sign-in",
            "EMAIL_VERIFICATION and SIGN_IN_BY_MAIL: No email address gets confirmed, so the first code that a user "
            "signs in with removes the password. Set EMAIL_VERIFICATION to optional, or SIGN_IN_BY_MAIL to none.",
        )
    if settings["SIGN_IN_BY_MAIL_STAFF"] and settings["SECOND_STEP_REQUIRED_FOR"] not in ("staff", "everyone"):
        yield warning(
            "sign-in",
            "SIGN_IN_BY_MAIL_STAFF: A mailbox alone opens the staff site. Set SECOND_STEP_REQUIRED_FOR to staff.",
        )


def _server() -> Iterator[Finding]:
    settings = current_app.config
    server = f"{settings['MAIL_SERVER']}:{settings['MAIL_PORT']}"
    try:
        with Relay() as relay:
            relay.host = relay.configure_host()
            relay.host.ehlo_or_helo_if_needed()
            code, words = relay.host.noop()
    except (OSError, smtplib.SMTPException) as error:
        yield failure(
            "email",
            f"MAIL_SERVER: {server}: {first_line_of_error(error)}. Check that it is running, and the MAIL_* settings.",
        )
        return
    except ValueError as error:
        names = "MAIL_SERVER, MAIL_USERNAME, MAIL_PASSWORD, MAIL_DEFAULT_SENDER"
        yield failure(
            "email", f"{names}: One of them cannot be encoded for {server}: {first_line_of_error(error)}. Correct it."
        )
        return
    if code >= 400:
        yield failure("email", f"MAIL_SERVER: {server}: {code} {words.decode(errors='replace')[:100]}")
        return
    encrypted = settings["MAIL_USE_TLS"] or settings["MAIL_USE_SSL"]
    how = ("with TLS" if encrypted else "without TLS") + (", authenticated" if settings["MAIL_USERNAME"] else "")
    if encrypted or settings["MAIL_SERVER"] in LOOPBACK_HOSTS:
        yield ok("email", f"connected to {server} {how}")
    else:
        yield warning("email", f"Connected to {server} {how}: reset links are sent unencrypted. Set MAIL_USE_TLS.")


def _failed_emails() -> Iterator[Finding]:
    try:
        failed = queries.newest(State.FAILED, 1)
    except sa.exc.SQLAlchemyError:
        return  # reported by the health checks
    if failed:
        yield warning(
            "email",
            "Some emails failed. To see why, run `flask mail list --state failed`; to try again, run "
            "`flask mail retry --all`.",
        )
