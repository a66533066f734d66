"""`flask users show`, `promote`, `demote` and `delete`."""

import click
from flask.cli import with_appcontext
from flask_babel import gettext as _

from userapi.auth import mailed_code_requests, sessions
from userapi.core.db import db
from userapi.security.password_hashing import describe_password_hash
from userapi.users import account_edits, accounts
from userapi.users.declaration import get_declaration
from userapi.users.models import User
from userapi.users.permissions import OPERATOR

from . import inputs, tables

email_argument = click.argument("email", type=inputs.Text("email", 1))


@click.command()
@email_argument
@with_appcontext
def show(email: str) -> None:
    """Show a user's status, role, groups, profile and number of active sessions."""
    user = inputs.user(email)
    facts = [
        (_("id"), str(user.id)),
        (_("email"), user.email),
        (_("email confirmed"), tables.moment(user.email_verified_at) or _("no")),
        (_("pending email"), user.pending_email),
        (_("username"), user.username),
        (_("name"), f"{user.first_name} {user.last_name}".strip()),
        (_("language"), user.language),
        (_("active"), _("yes") if user.is_active else _("no")),
        (_("is deleted"), user.closes_at and tables.moment(user.closes_at)),
        (_("legal hold"), user.held_reason),
        (_("role"), rights(user)),
        (_("groups"), ", ".join(group.name for group in user.groups)),
        (_("direct permissions"), ", ".join(permission.codename for permission in user.permissions)),
        (_("password"), describe_password_hash(user.password_hash)),
        (_("joined"), tables.moment(user.date_joined)),
        *([(_("accepted terms"), _accepted_terms(user))] if user.terms_version else []),
        (_("last sign-in"), tables.moment(user.last_login) or _("never")),
        (_("active sessions"), str(len(sessions.list_user_sessions(user.id)))),
    ]
    if user.profile is not None:
        facts += [(f"profile.{name}", str(user.profile.value_of(name) or "")) for name in get_declaration().names]
    tables.show((_("field"), _("value")), ((name, value or "") for name, value in facts))


def _accepted_terms(user: User) -> str:
    return f"{user.terms_version}, {tables.moment(user.terms_accepted_at)}"


@click.command()
@email_argument
@click.option("--superuser", is_flag=True, help="Also make the user a superuser, who has every permission.")
@with_appcontext
def promote(email: str, superuser: bool) -> None:
    """Make a user a staff member, with access to the staff site."""
    changes = {"is_staff": True, **({"is_superuser": True} if superuser else {})}
    user = inputs.held_user(email)
    account_edits.edit(user, changes, by=OPERATOR)
    db.session.commit()
    click.echo(_("%(email)s now has the role: %(role)s.", email=user.email, role=rights(user)))
    if warning := mailed_code_requests.warn_staff_without_password(user):
        click.echo(warning, err=True)


@click.command()
@email_argument
@click.option("--keep-staff", is_flag=True, help="Remove only the superuser role, and keep the user as staff.")
@with_appcontext
def demote(email: str, keep_staff: bool) -> None:
    """Remove the staff and superuser roles from a user."""
    changes = {"is_superuser": False, **({} if keep_staff else {"is_staff": False})}
    user = inputs.held_user(email)
    account_edits.edit(user, changes, by=OPERATOR)
    db.session.commit()
    click.echo(_("%(email)s now has the role: %(role)s.", email=user.email, role=rights(user) or _("regular user")))


@click.command()
@email_argument
@inputs.yes_option
@with_appcontext
def delete(email: str, yes: bool) -> None:
    """Delete a user with their profile, sessions and emails."""
    known = inputs.user(email).email
    inputs.confirm(_("Delete %(email)s with their profile, sessions and emails?", email=known), yes=yes)
    db.session.rollback()
    accounts.delete(inputs.held_user(email))
    db.session.commit()
    click.echo(_("Deleted %(email)s.", email=known))


def rights(user: User) -> str:
    """The roles of a user as a text for lists; empty for an ordinary user."""
    return _("superuser") if user.is_superuser else _("staff") if user.is_staff else ""


#: The commands in this module; `flask users` has more.
COMMANDS = (show, promote, demote, delete)
