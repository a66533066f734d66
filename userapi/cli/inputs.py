"""Input of commands: texts, numbers, dates, passwords, confirmations, users and groups."""

import os
import sys
from datetime import UTC, datetime
from typing import Any, NoReturn

import click
from flask_babel import gettext as _
from marshmallow import ValidationError

from userapi.core.db import db
from userapi.core.i18n import translate_messages
from userapi.http.fields import Line, Name
from userapi.users import email_address, group_queries, queries
from userapi.users.group_models import Group
from userapi.users.models import User

#: The maximum length of a password that is read.
MAX_INPUT_LENGTH = 4096

#: The largest id that the databases can store.
HIGHEST_ID = 2**63 - 1


class Text(click.ParamType[str]):
    """One line of text for a column of `User`, with the rules of the API."""

    name = "text"

    def __init__(self, column: str, minimum: int = 0) -> None:
        length = User.__table__.c[column].type.length  # type: ignore[attr-defined]
        self.field = Line(length, minimum) if minimum else Name(length, formatting=column != "username")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            text: str = self.field.deserialize(value)
        except ValidationError as error:
            self.fail(" ".join(translate_messages(error.messages)), param, ctx)
        return text


class Number(click.IntRange):
    """An integer within a range."""

    name = "number"

    def __init__(self, minimum: int, maximum: int = HIGHEST_ID) -> None:
        super().__init__(minimum, maximum)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number: int = super().convert(value, param, ctx)
        except click.BadParameter:
            sentence = _(
                "'%(value)s' is not a whole number from %(least)s to %(most)s.",
                value=value,
                least=self.min,
                most=self.max,
            )
            self.fail(sentence, param, ctx)
        return number


class Day(click.DateTime):
    """A date, which begins at midnight UTC, or a time with its zone."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment: datetime = super().convert(value, param, ctx)
        except click.BadParameter:
            examples = {"day": "2026-11-29", "moment": "2026-11-29T08:30:00+00:00"}
            self.fail(
                _("'%(value)s' is not a date such as %(day)s or a time such as %(moment)s.", value=value, **examples),
                param,
                ctx,
            )
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            self.fail(_("'%(value)s' is outside the years 1 to 9999 (UTC).", value=value), param, ctx)


yes_option = click.option("--yes", is_flag=True, help="Skip the confirmation prompt.")

password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


def password(*, from_stdin: bool, required: bool = True) -> str | None:
    """Return the password from standard input, from USER_PASSWORD, or from a prompt at the terminal.

    Args:
        from_stdin: the value of `--password-stdin`.
        required: whether to prompt for a password that was not given.
    """
    if from_stdin:
        line = sys.stdin.readline(MAX_INPUT_LENGTH)
        return line.removesuffix("\n").removesuffix("\r")
    given = os.environ.get("USER_PASSWORD")
    if given is not None or not required:
        return given
    if not sys.stdin.isatty():
        raise click.UsageError(
            _("No password given. Use --password-stdin, or set the environment variable USER_PASSWORD.")
        )
    typed: str = click.prompt(str(_("Password")), hide_input=True, confirmation_prompt=str(_("Repeat password")))
    return typed


def confirm(question: str, *, yes: bool) -> None:
    """Ask for confirmation of something that cannot be undone, unless `--yes` was given.

    Raises:
        click.ClickException: it was not confirmed.
    """
    try:
        agreed = yes or click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        agreed = False
    if not agreed:
        raise click.ClickException(_("Nothing was changed. To confirm, answer y or use --yes."))


def user(email: str) -> User:
    """The user with an email, whatever its case, or the service account with one."""
    key = email_address.find_account_key(email)
    user_id = queries.find_id(key) if key else None
    found = db.session.get(User, user_id) if user_id else None
    return found or _no_user(email)


def held_user(email: str) -> User:
    """The same, locked until the transaction ends."""
    key = email_address.find_account_key(email)
    found = queries.lock_user_by_email_key(key) if key else None
    return found or _no_user(email)


def group(name: str) -> Group:
    """The group with a name."""
    found = {group.name: group for group in group_queries.all_groups()}.get(name)
    if found is None:
        raise click.ClickException(
            _("There is no group %(name)s. To see all groups, run `flask groups list`.", name=name)
        )
    return found


def _no_user(email: str) -> NoReturn:
    raise click.ClickException(_("There is no user with the email %(email)s.", email=email))
