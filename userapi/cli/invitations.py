"""`flask invitations create | list | resend | revoke`: invitations to open an account."""

from typing import Any

import click
from flask_babel import gettext as _
from marshmallow import ValidationError

from userapi.core import clock
from userapi.core.db import db
from userapi.core.i18n import translate_messages
from userapi.http.fields import Language, Paragraph
from userapi.invitations import queries, sending
from userapi.invitations.models import MAX_MESSAGE_LENGTH, State, state_of
from userapi.invitations.sending import NewInvitation
from userapi.users import group_queries

from . import inputs, tables
from .failures import Group

group = Group("invitations", help="Invitations: links by email with which someone opens an account.")

id_argument = click.argument("invitation_id", metavar="ID", type=inputs.Number(1))


class _Checked(click.ParamType[str]):
    """A text with the rules of a field of the API."""

    name = "text"

    def __init__(self, field: Any) -> None:
        self.field = field

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            text: str = self.field.deserialize(value)
        except ValidationError as error:
            self.fail(" ".join(translate_messages(error.messages)), param, ctx)
        return text


@group.command()
@click.argument("email", type=inputs.Text("email", 1))
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="A group to join. Repeat for more.")
@click.option("--message", type=_Checked(Paragraph(MAX_MESSAGE_LENGTH)), help="What you write, in the email.")
@click.option("--language", type=_Checked(Language()), help="Of the email and of the new user, such as de.")
@click.option("--first-name", type=inputs.Text("first_name"), default="")
@click.option("--last-name", type=inputs.Text("last_name"), default="")
def create(email: str, **given: Any) -> None:
    """Invite someone to open an account with the email EMAIL. An earlier invitation is replaced.

    If an account has the email, it asks its owner to sign in instead.
    """
    invitation = sending.send(NewInvitation(email, **given), by=None)
    db.session.commit()
    end = tables.moment(invitation.expires_at)
    click.echo(_("Invited %(email)s. The link expires on %(end)s.", email=invitation.email, end=end))


@group.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--limit", type=inputs.Number(1, 10_000), default=50, show_default=True, help="Maximum number to show.")
def list_invitations(state: str | None, limit: int) -> None:
    """List invitations, the newest first."""
    now = clock.now()
    names = group_queries.names_by_id()
    columns = (_("ID"), _("email"), _("state"), _("groups"), _("sent"), _("expires"))
    rows = (
        (
            str(row.id),
            row.email,
            state_of(row, now).value,
            ", ".join(names[each] for each in row.facts.get("groups", []) if each in names),
            tables.moment(row.sent_at),
            tables.moment(row.expires_at),
        )
        for row in queries.list_newest(State(state) if state else None, now, limit)
    )
    tables.show(columns, rows)


@group.command()
@id_argument
def resend(invitation_id: int) -> None:
    """Send the invitation ID again with a new link. Its earlier link stops working."""
    invitation = sending.resend(invitation_id)
    db.session.commit()
    end = tables.moment(invitation.expires_at)
    click.echo(_("Sent to %(email)s again. The link expires on %(end)s.", email=invitation.email, end=end))


@group.command()
@id_argument
def revoke(invitation_id: int) -> None:
    """Revoke the invitation ID. Its link stops working immediately."""
    sending.revoke(invitation_id)
    db.session.commit()
    click.echo(_("The invitation has been revoked."))
