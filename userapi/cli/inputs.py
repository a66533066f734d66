"""What people give a command: lines of text, a password that is never an argument, the email of an account."""

import os
import sys
from typing import Any

import click
from flask_babel import gettext as _
from marshmallow import ValidationError

from userapi.core.fields import Line
from userapi.core.i18n import translated
from userapi.users import emails, queries
from userapi.users.models import User

#: Longer input is no password.
LONGEST_INPUT = 4096


class Text(click.ParamType[str]):
    """One line of text that fits a column of `User`, held to what the API holds it to."""

    name = "text"

    def __init__(self, column: str, minimum: int = 0) -> None:
        self.field = Line(User.__table__.c[column].type.length, minimum)  # type: ignore[attr-defined]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            text: str = self.field.deserialize(value)
        except ValidationError as error:
            self.fail(" ".join(translated(error.messages)), param, ctx)
        return text


password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


def password(*, from_stdin: bool, required: bool = True) -> str | None:
    """The password from standard input, from USER_PASSWORD, or from whoever sits at the terminal.

    Args:
        from_stdin: what `--password-stdin` says.
        required: whether to ask for one that was not given.
    """
    if from_stdin:
        line = sys.stdin.readline(LONGEST_INPUT)
        return line.removesuffix("\n").removesuffix("\r")
    given = os.environ.get("USER_PASSWORD")
    if given is not None or not required:
        return given
    if not sys.stdin.isatty():
        raise click.UsageError(_("No password: give it to --password-stdin, or in the variable USER_PASSWORD."))
    asked: str = click.prompt(
        str(_("Password")), hide_input=True, confirmation_prompt=str(_("Repeat for confirmation"))
    )
    return asked


def held_user(email: str) -> User:
    """The user with an email in whatever spelling, locked until the transaction ends."""
    key = emails.key_or_none(email)
    user = queries.by_email_key(key) if key else None
    if user is None:
        raise click.ClickException(_("No user has the email %(email)s.", email=email))
    return user
