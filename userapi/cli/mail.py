"""`flask mail …`: emails."""

import logging
import uuid
from datetime import timedelta
from typing import Any

import click
from flask import current_app
from flask_babel import format_timedelta, lazy_gettext, ngettext
from flask_babel import gettext as _
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress

from userapi.core import clock
from userapi.core.db import db
from userapi.mail import emails, pruning, queries, queue, samples
from userapi.mail.delivery import Counts, deliver_due
from userapi.mail.queries import State
from userapi.mail.relay import Delayed, Rejected, Relay
from userapi.settings import LANGUAGES
from userapi.users import email_address

from . import inputs, tables
from .failures import Group

#: The number of emails that are sent over one connection to the mail server.
BATCH = 100

COLUMNS = (
    lazy_gettext("id"),
    lazy_gettext("state"),
    lazy_gettext("kind"),
    lazy_gettext("recipient"),
    lazy_gettext("age"),
    lazy_gettext("attempts"),
    lazy_gettext("last error"),
)


class _StateChoice(click.Choice[str]):
    """A state; "given-up", the earlier name of "failed", is accepted too."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert("failed" if value == "given-up" else value, param, ctx)


group = Group("mail", help="Emails: deliver, list, read, retry and delete emails, and send a test email.")


@group.command()
@click.argument("recipient", type=inputs.Text("email", 1), metavar="EMAIL")
def test(recipient: str) -> None:
    """Send a test email now and show the mail server's response. The email is not stored."""
    if not current_app.config["MAIL_SERVER"]:
        raise click.ClickException("MAIL_SERVER: Not set, so there is no mail server to test.")
    typed, _key = email_address.checked(recipient)
    server = f"{current_app.config['MAIL_SERVER']}:{current_app.config['MAIL_PORT']}"
    email = emails.create_test_email(typed)
    db.session.expunge(email)  # it is not stored
    email.message_id = uuid.uuid4()
    try:
        with Relay() as relay:
            answer = relay.deliver(email)
    except (Delayed, Rejected) as error:
        raise click.ClickException(
            _("%(server)s did not accept the email: %(answer)s", server=server, answer=_in_one_line(str(error)))
        ) from error
    click.echo(_("%(server)s accepted the email: %(answer)s", server=server, answer=_in_one_line(answer)))


@group.command()
@click.argument("kind", type=click.Choice(list(samples.SENDERS)), metavar="KIND")
@click.option("--language", type=click.Choice(LANGUAGES), help="The language of the email.", metavar="LANGUAGE")
@click.option("--html", is_flag=True, help="Show the HTML part instead of the plain text.")
def preview(kind: str, language: str | None, html: bool) -> None:
    """Show what emails of a KIND look like, with made-up facts. Nothing is stored or sent.

    To look at one in a browser, save it: flask mail preview reset_password --html > email.html
    """
    email = samples.create_sample(kind, language)
    if html:
        click.echo(email.html)
    else:
        click.echo(_("Subject: %(subject)s", subject=email.subject) + f"\n\n{email.text}")


@group.command()
def deliver() -> None:
    """Deliver all emails that are due. Safe to run while the service delivers emails too."""
    if not current_app.config["MAIL_SERVER"]:
        raise click.ClickException(
            "MAIL_SERVER: Not set, so emails are stored and not sent. To read one, run `flask mail show ID`."
        )
    logging.disable(logging.CRITICAL)  # the state of each email is in the database
    total = Counts()
    console = Console(stderr=True)
    with Progress(BarColumn(), MofNCompleteColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=queries.count_due(clock.now()))
        counts = None
        while counts is None or counts.sent:  # some mail servers accept only a few over one connection
            counts = deliver_due(BATCH, progress=lambda: progress.advance(task))
            total += counts
    click.echo(ngettext("%(num)s email sent.", "%(num)s emails sent.", total.sent))
    if total.delayed or total.failed:
        raise click.ClickException(
            _(
                "%(delayed)s delayed, %(failed)s failed. To see why, run `flask mail list`; "
                "to try again, run `flask mail retry`.",
                delayed=total.delayed,
                failed=total.failed,
            )
        )


@group.command("list")
@click.option("--state", type=_StateChoice([state.value for state in State]), help="Only emails in this state.")
@click.option(
    "--limit", type=inputs.Number(1, 10_000), default=50, show_default=True, help="Maximum number of emails to show."
)
def list_emails(state: str | None, limit: int) -> None:
    """List emails, newest first."""
    tables.show(
        [str(column) for column in COLUMNS],
        (_cells(row) for row in queries.newest(State(state) if state else None, limit)),
    )


@group.command()
@click.argument("email_id", type=inputs.Number(1), metavar="ID")
@click.option("--html", is_flag=True, help="Show the HTML part instead of the plain text.")
def show(email_id: int, html: bool) -> None:
    """Show an email. The link in an unsent email works, so share it only with the recipient."""
    email = queries.by_id(email_id)
    if email is None:
        raise click.ClickException(_("There is no email with the id %(id)s.", id=email_id))
    click.echo(_("To: %(email)s", email=email.recipient))
    click.echo(_("Subject: %(subject)s", subject=email.subject))
    click.echo(_("State: %(state)s", state=_state(email)) + "\n")
    click.echo(email.html if html else email.text)


@group.command()
@click.argument("email_id", type=inputs.Number(1), metavar="ID", required=False)
@click.option("--all", "all_failed", is_flag=True, help="Retry all failed emails.")
def retry(email_id: int | None, all_failed: bool) -> None:
    """Try again to deliver a delayed or failed email."""
    if (email_id is None) is not all_failed:
        raise click.UsageError(_("Give the ID of an email, or use --all."))
    found = queue.retry(email_id)
    db.session.commit()
    if email_id is not None and not found:
        raise click.ClickException(_("There is no email with the id %(id)s that is still to be sent.", id=email_id))
    click.echo(ngettext("%(num)s email queued for delivery.", "%(num)s emails queued for delivery.", found))


@group.command()
@click.option("--days", type=inputs.Number(0, 3650), help="Keep emails for this many days. [default: MAIL_KEEP_DAYS]")
def prune(days: int | None) -> None:
    """Delete old emails that were sent or failed. Safe to run at any time."""
    kept = timedelta(days=current_app.config["MAIL_KEEP_DAYS"] if days is None else days)
    pruned = pruning.prune(clock.now() - kept)
    click.echo(ngettext("%(num)s email deleted.", "%(num)s emails deleted.", pruned))


def _in_one_line(answer: str) -> str:
    """The reply of a mail server without control characters."""
    return "".join(character for character in " ".join(answer.split()) if character.isprintable())


def _cells(row: Any) -> tuple[str, ...]:
    return (
        str(row.id),
        _state(row),
        row.kind,
        row.recipient,
        format_timedelta(clock.now() - row.created_at, granularity="minute", threshold=1),
        str(row.attempts),
        row.last_error or "",
    )


def _state(email: Any) -> str:
    """The state of an email, in more detail than `State`."""
    if email.sent_at is not None:
        return State.SENT
    if email.given_up_at is not None:
        return State.FAILED
    if email.claimed_until is not None and email.claimed_until > clock.now():
        return "sending"
    return State.DUE if email.due_at <= clock.now() else f"due {email.due_at:%H:%M:%S} UTC"
