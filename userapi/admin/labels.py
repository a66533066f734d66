"""The staff site's names of record types, actions, states and reasons."""

from flask_babel import lazy_gettext

from userapi.audit.names import ORIGINS, actor
from userapi.html.field_labels import LABELS
from userapi.users import fields

#: Types of records, singular and plural, by their names in permissions.
KIND = {
    "user": lazy_gettext("User"),
    "group": lazy_gettext("Group"),
    "session": lazy_gettext("Session"),
    "email": lazy_gettext("Email"),
    "message": lazy_gettext("Email"),  # the name in audit events
    "event": lazy_gettext("Event"),
    "import": lazy_gettext("Import"),
    "bulk": lazy_gettext("Bulk action"),
    "key": lazy_gettext("Signing key"),
}
KINDS = {
    "user": lazy_gettext("Users"),
    "group": lazy_gettext("Groups"),
    "session": lazy_gettext("Sessions"),
    "email": lazy_gettext("Emails"),
    "event": lazy_gettext("Audit log"),
}

#: Actions, by their names in permissions.
VERBS = {
    "view": lazy_gettext("View"),
    "add": lazy_gettext("Add"),
    "change": lazy_gettext("Change"),
    "delete": lazy_gettext("Delete"),
}

#: Actions in the audit log, by the codes that `audit.names` lists.
EVENTS = {
    "user.created": lazy_gettext("User created"),
    "user.changed": lazy_gettext("User changed"),
    "user.activated": lazy_gettext("User activated"),
    "user.deactivated": lazy_gettext("User deactivated"),
    "user.deleted": lazy_gettext("User deleted"),
    "user.rights_changed": lazy_gettext("Groups or permissions changed"),
    "user.password_changed": lazy_gettext("Password changed"),
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
    "factors.reset": lazy_gettext("Second factors reset"),
    "factors.unlocked": lazy_gettext("Codes unlocked"),
    "second_step.on": lazy_gettext("Two-step sign-in turned on"),
    "second_step.off": lazy_gettext("Two-step sign-in turned off"),
    "second_step.failed": lazy_gettext("Wrong code entered"),
    "second_step.locked": lazy_gettext("Codes locked"),
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

#: States of emails and sessions, by the values of the filters.
STATES = {
    "due": lazy_gettext("Queued"),
    "sent": lazy_gettext("Sent"),
    "failed": lazy_gettext("Failed"),
    "active": lazy_gettext("Active"),
    "ended": lazy_gettext("Ended"),
}

#: States of imports and bulk actions.
JOB_STATES = {
    "waiting": lazy_gettext("Queued"),
    "running": lazy_gettext("Running"),
    "done": lazy_gettext("Done"),
    "failed": lazy_gettext("Failed"),
    "cancelled": lazy_gettext("Cancelled"),
}

#: What an import does with a record whose email exists.
CONFLICT_CHOICES = {
    "skip": lazy_gettext("Skip the record"),
    "update": lazy_gettext("Update the user"),
    "fail": lazy_gettext("Stop without importing anything"),
}

#: What an import does with a user whose profile is invalid or incomplete.
BAD_PROFILE_CHOICES = {
    "leave-out-field": lazy_gettext("Skip the field"),
    "refuse-user": lazy_gettext("Reject the user"),
    "leave-out-profile": lazy_gettext("Import without the profile"),
}

#: What an import counts, in the order of its page.
COUNTS = {
    "made": lazy_gettext("Imported"),
    "updated": lazy_gettext("Updated"),
    "there_already": lazy_gettext("Already exists"),
    "refused": lazy_gettext("Rejected"),
    "altered": lazy_gettext("Adjusted"),
    "groups_made": lazy_gettext("Groups created"),
}

#: The kinds of issues that an import finds.
ISSUES = {
    "refused": lazy_gettext("Rejected"),
    "altered": lazy_gettext("Adjusted"),
    "there already": lazy_gettext("Already exists"),
}

#: Why a bulk action skips users. For users whom it does not affect, the reason depends on the action.
REASONS = {
    "own_account": lazy_gettext("Your own account"),
    "permission_denied": lazy_gettext("Has permissions that you do not have"),
    "last_superuser": lazy_gettext("Last active superuser"),
    "not_found": lazy_gettext("No longer exists"),
}

#: What is deleted with a user.
DATA_OF_USERS = {
    "profile": lazy_gettext("Profile"),
    "sessions": lazy_gettext("Active sessions"),
    "memberships": lazy_gettext("Group memberships"),
    "email_links": lazy_gettext("Email links"),
}

#: The orders of the user list, by their names in the URL.
ORDERINGS = {
    "-date_joined": lazy_gettext("Newest first"),
    "date_joined": lazy_gettext("Oldest first"),
    "email": lazy_gettext("Email, A to Z"),
    "-email": lazy_gettext("Email, Z to A"),
    "last_name": lazy_gettext("Last name, A to Z"),
    "-last_name": lazy_gettext("Last name, Z to A"),
    "-last_login": lazy_gettext("Last sign-in, newest first"),
    "last_login": lazy_gettext("Last sign-in, oldest first"),
}

#: For every template of the staff site.
FOR_TEMPLATES = {
    "origin_names": ORIGINS,
    "actor_name": actor,
    "field_labels": LABELS,
    "text_inputs": fields.TEXT_INPUTS,
    "flag_inputs": fields.WRITABLE_FLAGS,
    "profile_fields": fields.PROFILE,
    "kind_names": KIND,
    "kinds_names": KINDS,
    "verb_names": VERBS,
    "event_names": EVENTS,
    "state_names": STATES,
    "job_state_names": JOB_STATES,
    "conflict_choices": CONFLICT_CHOICES,
    "bad_profile_choices": BAD_PROFILE_CHOICES,
    "count_names": COUNTS,
    "issue_names": ISSUES,
    "reason_names": REASONS,
    "orderings": ORDERINGS,
}
