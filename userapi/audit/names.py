"""The names of actions, targets and origins, and the name of an event's actor."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from userapi.core import hooks
from userapi.core.context import Origin

#: Every action that the service writes, as `docs/events.md` describes it, in the words of staff.
ACTIONS = {
    "user.created": lazy_gettext("User created"),
    "user.changed": lazy_gettext("User changed"),
    "user.activated": lazy_gettext("User activated"),
    "user.deactivated": lazy_gettext("User deactivated"),
    "user.closing": lazy_gettext("Account closed"),
    "user.restored": lazy_gettext("Closed account restored"),
    "user.restore_withdrawn": lazy_gettext("Restore link withdrawn"),
    "user.restore_sent": lazy_gettext("Restore link sent"),
    "user.held": lazy_gettext("Legal hold placed"),
    "user.released": lazy_gettext("Legal hold ended"),
    "user.deleted": lazy_gettext("User deleted"),
    "user.rights_changed": lazy_gettext("Groups or permissions changed"),
    "user.password_changed": lazy_gettext("Password changed"),
    "user.password_removed": lazy_gettext("Password removed"),
    "user.password_check_failed": lazy_gettext("Wrong current password entered"),
    "user.password_rehashed": lazy_gettext("Password hash renewed"),
    "user.password_reset_requested": lazy_gettext("Password reset requested"),
    "user.claimed": lazy_gettext("Account given to the owner of its email"),
    "user.exported_own": lazy_gettext("Account data downloaded"),
    "invitation.sent": lazy_gettext("Invitation sent"),
    "invitation.accepted": lazy_gettext("Invitation accepted"),
    "invitation.revoked": lazy_gettext("Invitation revoked"),
    "service_account.created": lazy_gettext("Service account created"),
    "service_account.deleted": lazy_gettext("Service account deleted"),
    "users.seeded": lazy_gettext("Sample users created"),
    "users.imported": lazy_gettext("Users imported"),
    "users.exported": lazy_gettext("Users exported"),
    "email.verification_requested": lazy_gettext("Confirmation email requested"),
    "email.change_requested": lazy_gettext("Email change requested"),
    "email.change_undone": lazy_gettext("Email change undone"),
    "email.verified": lazy_gettext("Email confirmed"),
    "sign_in.code_requested": lazy_gettext("Code by email requested"),
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
    "identity.linked": lazy_gettext("Account of another service linked"),
    "identity.unlinked": lazy_gettext("Account of another service unlinked"),
    "identity.email_changed": lazy_gettext("Email changed at another service"),
    "provider_sign_in.failed": lazy_gettext("Sign-in with another service failed"),
    "passkey.counter_went_back": lazy_gettext("Passkey rejected, because it may have been copied"),
    "recovery_codes.made": lazy_gettext("Recovery codes created"),
    "recovery_code.used": lazy_gettext("Recovery code used"),
    "device.remembered": lazy_gettext("Device remembered"),
    "api_key.created": lazy_gettext("API key created"),
    "api_key.rotated": lazy_gettext("API key rotated"),
    "api_key.exchanged": lazy_gettext("API key exchanged for a token"),
    "api_key.expired": lazy_gettext("API key expired"),
    "api_key.revoked": lazy_gettext("API key revoked"),
    "device.forgotten": lazy_gettext("Remembered device forgotten"),
    "impersonation.started": lazy_gettext("Signed in as the user"),
    "impersonation.ended": lazy_gettext("No longer signed in as the user"),
    "group.created": lazy_gettext("Group created"),
    "group.changed": lazy_gettext("Group changed"),
    "group.deleted": lazy_gettext("Group deleted"),
    "fields.declared": lazy_gettext("Profile fields declared"),
    "fields.filled": lazy_gettext("Profile field filled"),
    "fields.dropped": lazy_gettext("Profile field deleted"),
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
    "client.created": lazy_gettext("Client application added"),
    "client.changed": lazy_gettext("Client application changed"),
    "client.secret_rotated": lazy_gettext("Secret of a client application replaced"),
    "client.deleted": lazy_gettext("Client application deleted"),
    "consent.given": lazy_gettext("Access given to an application"),
    "consent.withdrawn": lazy_gettext("Access of an application withdrawn"),
    "app.signed_in": lazy_gettext("Signed in to an application"),
    "app.access_ended": lazy_gettext("Access ended by an application"),
    "app.token_reused": lazy_gettext("Used token of an application sent again"),
    "device_sign_in.approved": lazy_gettext("Sign-in on a device allowed"),
    "device_sign_in.denied": lazy_gettext("Sign-in on a device denied"),
    "webhook.created": lazy_gettext("Webhook created"),
    "webhook.changed": lazy_gettext("Webhook changed"),
    "webhook.deleted": lazy_gettext("Webhook deleted"),
    "webhook.rotated": lazy_gettext("Secret of a webhook replaced"),
    "webhook.enabled": lazy_gettext("Webhook enabled"),
    "webhook.disabled": lazy_gettext("Webhook disabled"),
    "webhook.replayed": lazy_gettext("Deliveries of a webhook replayed"),
}

#: Every kind of target.
TARGETS = ("user", "group", "message", "invitation", "import", "bulk", "key", "webhook", "client")

ORIGINS = {
    Origin.WEB: lazy_gettext("Website"),
    Origin.API: lazy_gettext("API"),
    Origin.COMMAND_LINE: lazy_gettext("Command line"),
    Origin.IMPORT: lazy_gettext("Import"),
    Origin.SYSTEM: lazy_gettext("System"),
    Origin.UNKNOWN: lazy_gettext("Unknown origin"),
}


def is_known_pattern(pattern: str) -> bool:
    """Whether a pattern, such as `user.created`, `user.*` or `*`, can match an action; extensions name their own."""
    kind, _dot, rest = pattern.partition(".")
    ours = {name.partition(".")[0] for name in ACTIONS}
    return bool(hooks.PATTERN.fullmatch(pattern)) and (kind not in ours or rest == "*" or pattern in ACTIONS)


def actor(event: Any, emails: Mapping[int, str]) -> str:
    """The name of the actor of an event.

    Args:
        event: a row of the audit log.
        emails: the email addresses of users that still exist, by id.
    """
    if event.impersonator_id not in (None, event.actor_id) and event.actor_id is not None:
        staff, user = _user(event.impersonator_id, emails), _user(event.actor_id, emails)
        return str(_("%(staff)s as %(user)s", staff=staff, user=user))
    if event.actor_id is not None:
        return _user(event.actor_id, emails)
    if event.origin == Origin.COMMAND_LINE:
        return str(_("Command line (%(name)s)", name=event.os_user))
    if event.origin in (Origin.WEB, Origin.API):
        return str(_("Anonymous"))
    return str(_("Unknown") if event.origin == Origin.UNKNOWN else ORIGINS[event.origin])


def _user(user_id: int, emails: Mapping[int, str]) -> str:
    return emails.get(user_id) or str(_("user %(id)s", id=user_id))
