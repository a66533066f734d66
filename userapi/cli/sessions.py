"""`flask sessions …`: list, end and delete sessions."""

from datetime import timedelta

import click
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.auth import api_keys, pruning, sessions
from userapi.core import clock
from userapi.core.db import db
from userapi.http.user_agents import describe_user_agent
from userapi.invitations import deletion
from userapi.openid import pruning as openid_pruning
from userapi.privacy import removal

from . import inputs, tables
from .failures import Group

group = Group("sessions", help="Sessions: list, end and delete sessions.")


@group.command("list")
@click.argument("email", type=inputs.Text("email", 1), required=False)
@click.option(
    "--limit", type=inputs.Number(1, 10_000), default=50, show_default=True, help="Maximum number of sessions to show."
)
def list_sessions(email: str | None, limit: int) -> None:
    """List active sessions, most recently used first: those of the user EMAIL, or those of all users."""
    found = sessions.list_active_sessions(inputs.user(email).id if email else None, limit)
    columns = (_("email"), _("started"), _("last used"), _("expires"), _("IP address"), _("device"))
    tables.show(
        columns,
        (
            (
                row.email,
                tables.moment(row.created_at),
                tables.moment(row.last_used_at),
                tables.moment(row.expires_at),
                row.address or "",
                describe_user_agent(row.user_agent),
            )
            for row in found
        ),
    )


@group.command()
@click.argument("email", type=inputs.Text("email", 1))
def end(email: str) -> None:
    """End all sessions of a user."""
    user = inputs.held_user(email)
    sessions.end_sessions(user)
    db.session.commit()
    click.echo(_("All sessions of %(email)s have ended.", email=user.email))


@group.command("end-all")
@click.option("--keys", is_flag=True, help="Revoke all API keys of all users too.")
@inputs.yes_option
def end_all(keys: bool, yes: bool) -> None:
    """End all sessions of all users, for example after a backup was restored."""
    inputs.confirm(_("Every user will have to sign in again. Continue?"), yes=yes)
    users = sessions.end_all_sessions()
    revoked = api_keys.revoke_all_of_everyone() if keys else None
    db.session.commit()
    click.echo(ngettext("All sessions of %(num)s user have ended.", "All sessions of %(num)s users have ended.", users))
    if revoked is not None:
        click.echo(ngettext("%(num)s API key was revoked.", "%(num)s API keys were revoked.", revoked))


@group.command()
@click.option("--days", type=inputs.Number(0, 3650), default=7, show_default=True, help="Keep them for this many days.")
def prune(days: int) -> None:
    """Delete old sessions, email links and invitations that have ended, and closed accounts whose time has come.

    Safe to run at any time.
    """
    before = clock.now() - timedelta(days=days)
    pruned, invitations = pruning.prune(before), deletion.prune(before)
    openid_pruning.prune(before)
    click.echo(ngettext("%(num)s session deleted.", "%(num)s sessions deleted.", pruned.sessions))
    click.echo(ngettext("%(num)s email link deleted.", "%(num)s email links deleted.", pruned.links))
    if invitations:
        click.echo(ngettext("%(num)s invitation deleted.", "%(num)s invitations deleted.", invitations))
    if closed := removal.delete_due():
        click.echo(ngettext("%(num)s closed account deleted.", "%(num)s closed accounts deleted.", closed))
