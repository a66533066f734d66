"""`flask users …`: manage accounts."""

import secrets
import sys
from typing import Any

import click
from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from userapi.auth import api_keys, sessions
from userapi.core.db import db
from userapi.mfa import user_filters
from userapi.transfer import seeding
from userapi.transfer.seeded_activity import Activity
from userapi.users import account_edits, accounts, list_queries, search_index

from . import accounts as account_commands
from . import factors, holds, inputs, replays, restore_links, tables, transfer
from .failures import Group

group = Group("users", help="Users: create, list, change, import and export users.")
group.add_command(transfer.import_users)
group.add_command(transfer.export_users)
for command in (
    *account_commands.COMMANDS,
    *factors.COMMANDS,
    *holds.COMMANDS,
    *restore_links.COMMANDS,
    *replays.COMMANDS,
):
    group.add_command(command)

email_argument = click.argument("email", type=inputs.Text("email", 1))


def names(command: Any) -> Any:
    """The options of a new account."""
    for option in (
        click.option("--username", type=inputs.Text("username"), help="A display name. It cannot be used to sign in."),
        click.option("--last-name", type=inputs.Text("last_name"), default=""),
        click.option("--first-name", type=inputs.Text("first_name"), default=""),
        click.option("--email", type=inputs.Text("email", 1), prompt=sys.stdin.isatty(), required=True),
    ):
        command = option(command)
    return inputs.password_stdin(command)


@group.command("create-superuser")
@names
def create_superuser(password_stdin: bool, **given: Any) -> None:
    """Create a superuser, who has every permission. The email counts as confirmed.

    The password comes from a prompt, --password-stdin or the environment variable USER_PASSWORD.
    """
    _create(password_stdin, is_staff=True, is_superuser=True, **given)


@group.command()
@click.option("--staff", is_flag=True, help="Make the user a staff member, who may view, add, change and delete users.")
@click.option("--no-group", is_flag=True, help="With --staff: create the user without any permissions.")
@names
def create(password_stdin: bool, staff: bool, no_group: bool, **given: Any) -> None:
    """Create a user. The email counts as confirmed.

    The password comes from a prompt, --password-stdin or the environment variable USER_PASSWORD.
    """
    if no_group and not staff:
        raise click.UsageError(_("--no-group can only be used with --staff."))
    _create(password_stdin, is_staff=staff, joins_staff_group=not no_group, **given)


def _create(from_stdin: bool, **given: Any) -> None:
    user = accounts.create(password=inputs.password(from_stdin=from_stdin), email_verified=True, **given)
    db.session.commit()
    click.echo(_("Created user %(id)s: %(email)s", id=user.id, email=user.email))


@group.command("set-password")
@email_argument
@inputs.password_stdin
def set_password(email: str, password_stdin: bool) -> None:
    """Set a new password for a user, end all their sessions and revoke their API keys.

    The password comes from a prompt, --password-stdin or the environment variable USER_PASSWORD.
    """
    password = inputs.password(from_stdin=password_stdin)
    user = inputs.held_user(email)
    accounts.set_password(user, str(password), revoked_keys=api_keys.revoke_all(user.id))
    sessions.end_sessions(user)
    db.session.commit()
    click.echo(_("Password set for %(email)s. All their sessions have ended.", email=user.email))


@group.command()
@email_argument
def activate(email: str) -> None:
    """Activate a user, who can then sign in again."""
    user = inputs.held_user(email)
    account_edits.set_active(user, True)
    db.session.commit()
    click.echo(_("%(email)s can sign in.", email=user.email))


@group.command()
@email_argument
def deactivate(email: str) -> None:
    """Deactivate a user, who can no longer sign in, and end all their sessions."""
    user = inputs.held_user(email)
    account_edits.set_active(user, False)
    db.session.commit()
    click.echo(_("%(email)s can no longer sign in. All their sessions have ended.", email=user.email))


@group.command("list")
@click.option(
    "--search",
    type=inputs.Text("email"),
    default="",
    help="Only users whose email, first name or last name contains these words.",
)
@click.option("--staff", is_flag=True, help="Only staff members.")
@click.option("--inactive", is_flag=True, help="Only inactive users.")
@click.option("--without-second-step", is_flag=True, help="Only users who sign in without a second step.")
@click.option("--locked-second-step", is_flag=True, help="Only users who cannot do their second step.")
@click.option("--group", "group_name", metavar="GROUP", help="Only members of this group.")
def list_users(
    search: str,
    staff: bool,
    inactive: bool,
    without_second_step: bool,
    locked_second_step: bool,
    group_name: str | None,
) -> None:
    """List users."""
    filters: dict[str, Any] = {"search": search}
    filters |= ({"is_staff": True} if staff else {}) | ({"is_active": False} if inactive else {})
    if without_second_step or locked_second_step:
        filters[user_filters.NAME] = user_filters.NONE if without_second_step else user_filters.LOCKED
    if group_name is not None:
        filters["group"] = inputs.group(group_name).id
    columns = (_("id"), _("email"), _("name"), _("active"), _("role"), _("joined"))
    tables.show(columns, (_cells(row) for row in list_queries.iterate_users(filters)))


@group.command("index")
def create_index() -> None:
    """Create the search index if the migration could not. Writes wait until it is complete."""
    with db.engine.begin() as connection:
        created = search_index.create(connection)
    if not created:
        raise click.ClickException(_("The database cannot create the search index. Run `flask doctor`."))
    click.echo(_("Searches use the index now. Restart the service."))


def _cells(row: Any) -> tuple[str, ...]:
    rights = "superuser" if row.is_superuser else "staff" if row.is_staff else ""
    name = f"{row.first_name} {row.last_name}".strip()
    return (str(row.id), row.email, name, "yes" if row.is_active else "no", rights, f"{row.date_joined:%Y-%m-%d}")


class LocaleName(click.Choice[str]):
    """A language and country, spelled en_GB or en-gb."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = str(value).replace("_", "-").lower()
        if name not in self.choices:
            self.fail(
                _("Unknown locale '%(value)s'. To see all locales, run `flask users seed --help`.", value=value),
                param,
                ctx,
            )
        return super().convert(name, param, ctx)


@group.command()
@click.argument("count", type=inputs.Number(1, 1_000_000))
@click.option(
    "--locale",
    type=LocaleName(seeding.LOCALES),
    default="en",
    metavar="LOCALE",
    help=f"Language and country of the users: {', '.join(seeding.LOCALES)}.",
    show_default=True,
)
@click.option(
    "--random-seed", type=inputs.Number(0, 999_999_999), help="Use the same number again to create the same users."
)
@click.option("--password", "shared", help="One password for all users, for testing only. [default: random]")
@inputs.password_stdin
@click.option("--hash-each", is_flag=True, help="Hash the password separately for each user, as in real life. Slow.")
@click.option(
    "--with-activity",
    is_flag=True,
    help="Also create 30 days of sign-ins and failed sign-ins, and users in every state.",
)
@click.option("--force", is_flag=True, help="Also run where SITE_URL is https, which means production.")
def seed(
    count: int,
    locale: str,
    random_seed: int | None,
    shared: str | None,
    password_stdin: bool,
    hash_each: bool,
    with_activity: bool,
    force: bool,
) -> None:
    """Create COUNT realistic users with profiles, all or none. Existing users are not changed.

    With --with-activity, some users are staff, inactive or unverified, so that the staff site has data to show.
    """
    if current_app.config["SITE_URL"].startswith("https://") and not force:
        raise click.ClickException(
            _("SITE_URL is https, so this looks like production. To create test users here, use --force.")
        )
    given = shared if shared is not None else inputs.password(from_stdin=password_stdin, required=False)
    password = secrets.token_urlsafe(12) if given is None else given
    number = secrets.randbelow(10**6) if random_seed is None else random_seed
    people = seeding.Crowd(locale, number)
    past = Activity(people.name) if with_activity else None
    made = 0
    console = Console(stderr=True)
    bar = Progress(_("Creating users"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console)
    bar.disable = not console.is_terminal
    with bar:
        task = bar.add_task("", total=count)
        for done, added in seeding.seed_users(people, count, password, hash_each=hash_each, past=past):
            made += added
            bar.update(task, completed=done)
    db.session.commit()
    sentence = ngettext(
        "%(num)s user created, %(there)s already existed (%(options)s).",
        "%(num)s users created, %(there)s already existed (%(options)s).",
        made,
        there=count - made,
        options=f"--locale {locale} --random-seed {number}",
    )
    click.echo(sentence)
    if given is None and made:
        click.echo(_("Password of these users, shown only once: %(password)s", password=password))
