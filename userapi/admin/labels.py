"""The staff site's names of record types, states and reasons."""

from flask_babel import lazy_gettext

from userapi.audit.names import ACTIONS, ORIGINS, actor
from userapi.html.field_labels import LABELS
from userapi.http.user_agents import describe_user_agent
from userapi.users import fields, permission_names

#: Types of records, by their names in permissions and events.
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

#: What an import counts only where the file has second factors.
FACTOR_COUNTS = {
    "with_factors": lazy_gettext("With second factors"),
    "locked": lazy_gettext("With a locked second step"),
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
    "kinds_names": permission_names.KINDS,
    "verb_names": permission_names.ACTIONS,
    "event_names": ACTIONS,
    "state_names": STATES,
    "job_state_names": JOB_STATES,
    "conflict_choices": CONFLICT_CHOICES,
    "bad_profile_choices": BAD_PROFILE_CHOICES,
    "count_names": COUNTS,
    "factor_count_names": FACTOR_COUNTS,
    "issue_names": ISSUES,
    "reason_names": REASONS,
    "permission_name": permission_names.name_permission,
    "permissions_name": permission_names.name_permissions,
    "orderings": ORDERINGS,
    "describe_user_agent": describe_user_agent,
}
