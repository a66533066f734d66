"""`flask groups …`: groups, their permissions and their members."""

import click
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import ValidationError

from userapi.core.db import db
from userapi.core.i18n import translate_messages
from userapi.users import group_queries, groups
from userapi.users.group_models import Group as UserGroup
from userapi.users.permissions import OPERATOR

from . import inputs, tables
from .failures import Group

group = Group("groups", help="Groups, what they allow, and their members.")

email_argument = click.argument("email", type=inputs.Text("email", 1))
name_argument = click.argument("name", metavar="GROUP")


@group.command("list")
def list_groups() -> None:
    """List groups: number of members, permissions, and whether members need a second step."""
    members = group_queries.member_counts()
    tables.show(
        (_("name"), _("members"), _("permissions"), _("second step")),
        (
            (found.name, str(members.get(found.id, 0)), _codenames(found), _second_step(found))
            for found in group_queries.all_groups()
        ),
    )


@group.command()
@name_argument
@click.option(
    "--permission",
    "codenames",
    multiple=True,
    metavar="NAME",
    help="A permission of the group, such as view_user. Repeat for more.",
)
@click.option(
    "--require-second-step", is_flag=True, help="Let members sign in only with a second step, such as a code."
)
def create(name: str, codenames: tuple[str, ...], require_second_step: bool) -> None:
    """Create a group."""
    known = {permission.codename: permission.id for permission in group_queries.all_permissions()}
    if unknown := [codename for codename in codenames if codename not in known]:
        raise click.ClickException(
            _(
                "Unknown permission '%(name)s'. Choose from: %(known)s.",
                name=unknown[0],
                known=", ".join(sorted(known)),
            )
        )
    try:
        checked = groups.name_field.deserialize(name)
    except ValidationError as error:
        raise click.ClickException(f"GROUP: {' '.join(translate_messages(error.messages))}") from error
    groups.create(
        checked.strip(),
        [known[codename] for codename in codenames],
        by=OPERATOR,
        requires_second_step=require_second_step,
    )
    db.session.commit()
    click.echo(_("Created the group %(name)s.", name=checked.strip()))


@group.command()
@name_argument
@click.option(
    "--require-second-step/--no-require-second-step",
    required=True,
    help="Whether members can only sign in with a second step, such as a code.",
)
def change(name: str, require_second_step: bool) -> None:
    """Change whether the members of a group need a second step."""
    found = groups.lock(inputs.group(name).id)
    permission_ids = [permission.id for permission in found.permissions]
    groups.edit(found, found.name, permission_ids, by=OPERATOR, requires_second_step=require_second_step)
    db.session.commit()
    if require_second_step:
        click.echo(_("The group %(name)s now requires a second step.", name=found.name))
    else:
        click.echo(_("The group %(name)s no longer requires a second step.", name=found.name))


@group.command()
@name_argument
@inputs.yes_option
def delete(name: str, yes: bool) -> None:
    """Delete a group. Its members lose the permissions of the group."""
    found = inputs.group(name)
    members = group_queries.member_counts().get(found.id, 0)
    question = ngettext(
        "Delete the group %(name)s with %(num)s member?",
        "Delete the group %(name)s with %(num)s members?",
        members,
        name=found.name,
    )
    inputs.confirm(question, yes=yes)
    db.session.rollback()
    groups.delete(groups.lock(inputs.group(name).id), by=OPERATOR)
    db.session.commit()
    click.echo(_("Deleted the group %(name)s.", name=name))


@group.command()
@email_argument
@name_argument
def add(email: str, name: str) -> None:
    """Add a user to a group."""
    found, user = inputs.group(name), inputs.held_user(email)
    groups.add_member(user, found, by=OPERATOR)
    db.session.commit()
    click.echo(_("%(email)s is now a member of the group %(name)s.", email=user.email, name=found.name))


@group.command()
@email_argument
@name_argument
def remove(email: str, name: str) -> None:
    """Remove a user from a group."""
    found, user = inputs.group(name), inputs.held_user(email)
    if not groups.remove_member(user, found, by=OPERATOR):
        raise click.ClickException(
            _("%(email)s is not a member of the group %(name)s.", email=user.email, name=found.name)
        )
    db.session.commit()
    click.echo(_("%(email)s is no longer a member of the group %(name)s.", email=user.email, name=found.name))


def _second_step(found: UserGroup) -> str:
    return _("required") if found.requires_second_step else ""


def _codenames(found: UserGroup) -> str:
    return ", ".join(permission.codename for permission in found.permissions)
