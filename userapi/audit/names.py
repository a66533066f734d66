"""The names of actions, targets and origins, and the name of an event's actor."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.context import Origin

#: Every action that the service writes, as `docs/events.md` describes it.
ACTIONS = (
    "user.created", "user.changed", "user.activated", "user.deactivated", "user.deleted", "user.rights_changed",
    "user.password_changed", "user.password_check_failed", "user.password_rehashed", "user.password_reset_requested",
    "user.invited", "user.data_exported", "invitation.accepted", "users.seeded", "users.imported", "users.exported",
    "email.verification_requested", "email.change_requested", "email.change_undone", "email.verified",
    "sign_in.failed", "session.started", "session.proved", "session.ended", "session.ended_all", "sessions.ended_all",
    "session.token_reused", "group.created", "group.changed", "group.deleted",
    "import.started", "import.finished", "import.cancelled", "bulk.started", "bulk.finished", "bulk.cancelled",
    "message.retried", "message.test_sent", "message.link_opened", "key.added", "key.retired",
    "factor.added", "factor.renamed", "factor.removed", "factors.reset", "factors.unlocked", "second_step.on",
    "second_step.off", "second_step.failed", "second_step.locked", "recovery_codes.made", "recovery_code.used",
    "device.remembered", "device.forgotten",
    "data_key.added", "data_key.retired", "audit.exported",
)  # fmt: skip

#: Every kind of target.
TARGETS = ("user", "group", "message", "import", "bulk", "key")

ORIGINS = {
    Origin.WEB: lazy_gettext("Website"),
    Origin.API: lazy_gettext("API"),
    Origin.COMMAND_LINE: lazy_gettext("Command line"),
    Origin.IMPORT: lazy_gettext("Import"),
    Origin.SYSTEM: lazy_gettext("System"),
    Origin.UNKNOWN: lazy_gettext("Unknown origin"),
}


def actor(event: Any, emails: Mapping[int, str]) -> str:
    """The name of the actor of an event.

    Args:
        event: a row of the audit log.
        emails: the email addresses of users that still exist, by id.
    """
    if event.actor_id is not None:
        return emails.get(event.actor_id) or str(_("user %(id)s", id=event.actor_id))
    if event.origin == Origin.COMMAND_LINE:
        return str(_("Command line (%(name)s)", name=event.os_user))
    if event.origin in (Origin.WEB, Origin.API):
        return str(_("Anonymous"))
    return str(_("Unknown") if event.origin == Origin.UNKNOWN else ORIGINS[event.origin])
