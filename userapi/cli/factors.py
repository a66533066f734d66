"""`flask users factors`, `reset-factors` and `unlock`: the second factors of a user."""

from typing import Any

import click
from flask.cli import with_appcontext
from flask_babel import gettext as _

from userapi.auth import factor_reset
from userapi.auth.factor_reset import MAX_REASON_LENGTH
from userapi.core.db import db
from userapi.mfa import factors as factor_rules
from userapi.mfa import guesses

from . import inputs, tables

email_argument = click.argument("email", type=inputs.Text("email", 1))


@click.command("factors")
@email_argument
@with_appcontext
def show_factors(email: str) -> None:
    """Show a user's second factors, without their secrets."""
    found = factor_rules.read_overview(inputs.user(email).id)
    facts = [(_("second step"), _("on") if found.second_step else _("off"))]
    facts += [(_("authenticator app"), _describe(app)) for app in found.apps]
    facts += [(_("passkey"), _describe(passkey)) for passkey in found.passkeys]
    facts += [
        (_("recovery codes left"), str(found.codes_left)),
        (_("remembered devices"), str(found.devices)),
        (_("wrong codes in a row"), str(found.failures)),
        (_("locked"), _("yes") if found.is_locked else _("no")),
    ]
    tables.show((_("field"), _("value")), facts)


def _describe(factor: Any) -> str:
    if factor.last_used_at is None:
        return str(_("%(name)s, not used yet", name=factor.name))
    return str(_("%(name)s, last used %(when)s", name=factor.name, when=tables.moment(factor.last_used_at)))


@click.command("reset-factors")
@email_argument
@click.option("--reason", required=True, help="Why; the audit log keeps it, and the user reads it in an email.")
@click.option("--keep-password", is_flag=True, help="Keep the password. Only if you are sure who asks for the reset.")
@inputs.yes_option
@with_appcontext
def reset_factors(email: str, reason: str, keep_password: bool, yes: bool) -> None:
    """Remove all second factors of a user and end all sessions. The user gets a link to set a new password."""
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON_LENGTH:
        raise click.UsageError(_("Give a reason of at most %(maximum)s characters.", maximum=MAX_REASON_LENGTH))
    known = inputs.user(email).email
    inputs.confirm(_("Remove all second factors of %(email)s?", email=known), yes=yes)
    db.session.rollback()
    factor_reset.reset_factors(inputs.held_user(email), reason, keep_password=keep_password)
    db.session.commit()
    click.echo(_("Removed all second factors of %(email)s.", email=known))


@click.command()
@email_argument
@with_appcontext
def unlock(email: str) -> None:
    """Accept codes of a user's second factors again, after too many wrong ones."""
    user = inputs.held_user(email)
    is_changed = guesses.unlock(user.id)
    db.session.commit()
    if is_changed:
        click.echo(_("Codes of %(email)s are accepted again.", email=user.email))
    else:
        click.echo(_("No wrong codes were counted for %(email)s.", email=user.email))


#: The commands in this module; `flask users` has more.
COMMANDS = (show_factors, reset_factors, unlock)
