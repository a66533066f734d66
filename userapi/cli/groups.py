"""`flask groups …`: groups, their permissions and their members."""

import click
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import ValidationError

from userapi.core.db import db
from userapi.core.i18n import translated
from userapi.http.fields import Line
from userapi.users import group_queries, groups
from userapi.users.models import Group as UserGroup
from userapi.users.models import User

from . import inputs, tables
from .accounts import OPERATOR
from .failures import Group

group = Group("groups", help="Groups: list, make and delete them, add and remove members.")

email_argument = click.argument("email", type=inputs.Text("email", 1))
name_argument = click.argument("name", metavar="GROUP")


@group.command("list")
def list_groups() -> None:
    """List groups: how many members each has, and the permissions that it gives them."""
    members = group_queries.member_counts()
    tables.show(
        (_("name"), _("members"), _("permissions")),
        ((found.name, str(members.get(found.id, 0)), _codenames(found)) for found in group_queries.all_groups()),
    )


@group.command()
@name_argument
@click.option("--permission", "codenames", multiple=True, metavar="NAME", help="As view_user; give it once for each.")
def create(name: str, codenames: tuple[str, ...]) -> None:
    """Make the group GROUP."""
    known = {permission.codename: permission.id for permission in group_queries.all_permissions()}
    if unknown := [codename for codename in codenames if codename not in known]:
        raise click.ClickException(
            _(
                "There is no permission %(name)s. There are: %(known)s.",
                name=unknown[0],
                known=", ".join(sorted(known)),
            )
        )
    try:
        checked = Line(UserGroup.__table__.c.name.type.length, 1).deserialize(name)  # type: ignore[attr-defined]
    except ValidationError as error:
        raise click.ClickException(f"GROUP: {' '.join(translated(error.messages))}") from error
    groups.create(checked.strip(), [known[codename] for codename in codenames], by=OPERATOR)
    db.session.commit()
    click.echo(_("The group %(name)s is made.", name=checked.strip()))


@group.command()
@name_argument
@inputs.yes_option
def delete(name: str, yes: bool) -> None:
    """Delete the group GROUP; its members lose the permissions that it gave them."""
    found = inputs.group(name)
    members = group_queries.member_counts().get(found.id, 0)
    question = ngettext(
        "Delete the group %(name)s, which has %(num)s member?",
        "Delete the group %(name)s, which has %(num)s members?",
        members,
        name=found.name,
    )
    inputs.confirm(question, yes=yes)
    db.session.rollback()
    groups.delete(groups.hold(inputs.group(name).id), by=OPERATOR)
    db.session.commit()
    click.echo(_("The group %(name)s is deleted.", name=name))


@group.command()
@email_argument
@name_argument
def add(email: str, name: str) -> None:
    """Add the user EMAIL to the group GROUP."""
    found, user = inputs.group(name), inputs.held_user(email)
    _set_groups(user, {*(member.id for member in user.groups), found.id})
    click.echo(_("%(email)s is in the group %(name)s.", email=user.email, name=found.name))


@group.command()
@email_argument
@name_argument
def remove(email: str, name: str) -> None:
    """Remove the user EMAIL from the group GROUP."""
    found, user = inputs.group(name), inputs.held_user(email)
    if found not in user.groups:
        raise click.ClickException(_("%(email)s is not in the group %(name)s.", email=user.email, name=found.name))
    _set_groups(user, {member.id for member in user.groups} - {found.id})
    click.echo(_("%(email)s is not in the group %(name)s any more.", email=user.email, name=found.name))


def _set_groups(user: User, group_ids: set[int]) -> None:
    groups.set_rights(user, group_ids, [permission.id for permission in user.permissions], by=OPERATOR)
    db.session.commit()


def _codenames(found: UserGroup) -> str:
    return ", ".join(permission.codename for permission in found.permissions)
