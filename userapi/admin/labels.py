"""What the staff site calls things: fields, kinds of records, what may be done to them, and how they stand."""

from flask_babel import lazy_gettext

from userapi.audit.names import ORIGINS, actor
from userapi.html.field_labels import LABELS
from userapi.users import fields

#: The kinds of records, one and many, by the names that permissions give them.
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

#: What a permission lets people do, by its beginning.
VERBS = {
    "view": lazy_gettext("View"),
    "add": lazy_gettext("Add"),
    "change": lazy_gettext("Change"),
    "delete": lazy_gettext("Delete"),
}

#: The states of emails and sessions, by the values of the filter.
STATES = {
    "due": lazy_gettext("Queued"),
    "sent": lazy_gettext("Sent"),
    "failed": lazy_gettext("Failed"),
    "active": lazy_gettext("Active"),
    "ended": lazy_gettext("Ended"),
}

#: How imports and bulk actions stand.
STATES_OF_JOBS = {
    "waiting": lazy_gettext("Queued"),
    "running": lazy_gettext("Running"),
    "done": lazy_gettext("Done"),
    "failed": lazy_gettext("Failed"),
    "cancelled": lazy_gettext("Cancelled"),
}

#: What becomes of a row whose email a user has already.
WAYS = {
    "skip": lazy_gettext("Skip the record"),
    "update": lazy_gettext("Update the user"),
    "fail": lazy_gettext("Stop without importing anything"),
}

#: What becomes of a user whose profile has a field that is wrong or missing.
BAD_PROFILE_WAYS = {
    "leave-out-field": lazy_gettext("Skip the field"),
    "refuse-user": lazy_gettext("Reject the user"),
    "leave-out-profile": lazy_gettext("Import without the profile"),
}

#: What an import counts, in the order in which it is shown.
COUNTS = {
    "made": lazy_gettext("Imported"),
    "updated": lazy_gettext("Updated"),
    "there_already": lazy_gettext("Already exists"),
    "refused": lazy_gettext("Rejected"),
    "altered": lazy_gettext("Adjusted"),
    "groups_made": lazy_gettext("Groups created"),
}

#: What an import has to say of a record.
ISSUE_KINDS = {
    "refused": lazy_gettext("Rejected"),
    "altered": lazy_gettext("Adjusted"),
    "there already": lazy_gettext("Already exists"),
}

#: Why a bulk action left accounts out; what it says of accounts that it does not concern depends on the action.
REASONS = {
    "own_account": lazy_gettext("Your own account"),
    "permission_denied": lazy_gettext("Has permissions that you do not have"),
    "last_superuser": lazy_gettext("Last active superuser"),
    "not_found": lazy_gettext("No longer exists"),
}

#: What is deleted along with a user.
PARTS_OF_USERS = {
    "profile": lazy_gettext("Profile"),
    "sessions": lazy_gettext("Active sessions"),
    "memberships of groups": lazy_gettext("Group memberships"),
    "links in emails": lazy_gettext("Email links"),
}

#: The orders of the list of users, by the values of its select.
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

#: What every template of the staff site can call by name.
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
    "state_names": STATES,
    "job_state_names": STATES_OF_JOBS,
    "way_names": WAYS,
    "bad_profile_way_names": BAD_PROFILE_WAYS,
    "count_names": COUNTS,
    "issue_names": ISSUE_KINDS,
    "reason_names": REASONS,
    "orderings": ORDERINGS,
}
