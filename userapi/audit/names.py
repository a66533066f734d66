"""The names of actions, targets and origins, and the name of an event's actor."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core.context import Origin

#: Every action that the service writes, as `docs/events.md` describes it, in the words of staff.
ACTIONS = {
    "user.created": lazy_gettext("User created"),
    "user.changed": lazy_gettext("User changed"),
    "user.activated": lazy_gettext("User activated"),
    "user.deactivated": lazy_gettext("User deactivated"),
    "user.deleted": lazy_gettext("User deleted"),
    "user.rights_changed": lazy_gettext("Groups or permissions changed"),
    "user.password_changed": lazy_gettext("Password changed"),
    "user.password_removed": lazy_gettext("Password removed"),
    "user.password_check_failed": lazy_gettext("Wrong current password entered"),
    "user.password_rehashed": lazy_gettext("Password hash renewed"),
    "user.password_reset_requested": lazy_gettext("Password reset requested"),
    "user.invited": lazy_gettext("Invitation sent"),
    "user.data_exported": lazy_gettext("Account data downloaded"),
    "invitation.accepted": lazy_gettext("Invitation accepted"),
    "users.seeded": lazy_gettext("Sample users created"),
    "users.imported": lazy_gettext("Users imported"),
    "users.exported": lazy_gettext("Users exported"),
    "email.verification_requested": lazy_gettext("Confirmation email requested"),
    "email.change_requested": lazy_gettext("Email change requested"),
    "email.change_undone": lazy_gettext("Email change undone"),
    "email.verified": lazy_gettext("Email confirmed"),
    "sign_in.failed": lazy_gettext("Sign-in failed"),
    "session.started": lazy_gettext("Signed in"),
    "session.proved": lazy_gettext("Identity confirmed"),
    "session.ended": lazy_gettext("Session ended"),
    "session.ended_all": lazy_gettext("Sessions of a user ended"),
    "sessions.ended_all": lazy_gettext("Sessions of all users ended"),
    "session.token_reused": lazy_gettext("Used refresh token sent again"),
    "factor.added": lazy_gettext("Second factor added"),
    "factor.renamed": lazy_gettext("Second factor renamed"),
    "factor.removed": lazy_gettext("Second factor removed"),
    "factors.imported": lazy_gettext("Second factors imported"),
    "factors.reset": lazy_gettext("Second factors reset"),
    "factors.unlocked": lazy_gettext("Codes unlocked"),
    "second_step.on": lazy_gettext("Two-step sign-in turned on"),
    "second_step.off": lazy_gettext("Two-step sign-in turned off"),
    "second_step.requested": lazy_gettext("Second step requested"),
    "second_step.failed": lazy_gettext("Wrong code entered"),
    "second_step.locked": lazy_gettext("Codes locked"),
    "passkey.counter_went_back": lazy_gettext("Passkey rejected, because it may have been copied"),
    "recovery_codes.made": lazy_gettext("Recovery codes created"),
    "recovery_code.used": lazy_gettext("Recovery code used"),
    "device.remembered": lazy_gettext("Device remembered"),
    "device.forgotten": lazy_gettext("Remembered device forgotten"),
    "group.created": lazy_gettext("Group created"),
    "group.changed": lazy_gettext("Group changed"),
    "group.deleted": lazy_gettext("Group deleted"),
    "import.started": lazy_gettext("Import started"),
    "import.finished": lazy_gettext("Import finished"),
    "import.cancelled": lazy_gettext("Import cancelled"),
    "bulk.started": lazy_gettext("Bulk action started"),
    "bulk.finished": lazy_gettext("Bulk action finished"),
    "bulk.cancelled": lazy_gettext("Bulk action cancelled"),
    "message.retried": lazy_gettext("Email queued again"),
    "message.test_sent": lazy_gettext("Test email sent"),
    "message.link_opened": lazy_gettext("Link of an email opened"),
    "key.added": lazy_gettext("Signing key added"),
    "key.retired": lazy_gettext("Signing key retired"),
    "data_key.added": lazy_gettext("Data key added"),
    "data_key.retired": lazy_gettext("Data key retired"),
    "audit.exported": lazy_gettext("Audit log exported"),
}

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
