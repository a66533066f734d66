"""What pages say to users who need a second step, now or from a day on, and have signed in without it."""

from flask_babel import gettext as _

from userapi.auth.assurance import Level
from userapi.auth.caller import Caller
from userapi.core import i18n
from userapi.mfa import requirements


def get_notice(caller: Caller | None) -> str:
    """A text for the caller; empty if there is nothing to do."""
    if caller is None or caller.level is Level.TWO_FACTORS:
        return ""
    if caller.is_for_set_up:
        return str(_("Your account requires two-step sign-in. Set it up to continue."))
    first = requirements.find_first_day(caller.user)
    if first is not None:
        return str(_("From %(day)s, your account requires two-step sign-in.", day=i18n.format_long_day(first)))
    return str(_("The staff site requires two-step sign-in.")) if requirements.is_required(caller.user) else ""
