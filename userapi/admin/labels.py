"""What the staff site calls things: fields, kinds of records, what may be done to them, and how they stand."""

from flask_babel import lazy_gettext

from userapi.audit.names import ORIGINS, actor

#: The fields of forms, by the names of their inputs.
FIELDS = {
    "email": lazy_gettext("Email"),
    "username": lazy_gettext("Username"),
    "first_name": lazy_gettext("First name"),
    "last_name": lazy_gettext("Last name"),
    "language": lazy_gettext("Language"),
    "access": lazy_gettext("How they sign in"),
    "profile": lazy_gettext("Profile"),
    "profile.title": lazy_gettext("Title"),
    "profile.dob": lazy_gettext("Date of birth"),
    "profile.address": lazy_gettext("Address"),
    "profile.country": lazy_gettext("Country"),
    "profile.city": lazy_gettext("City"),
    "profile.zip": lazy_gettext("Postal code"),
    "is_active": lazy_gettext("Active"),
    "is_staff": lazy_gettext("Staff"),
    "is_superuser": lazy_gettext("Superuser"),
    "groups": lazy_gettext("Groups"),
    "permissions": lazy_gettext("Permissions"),
    "password1": lazy_gettext("Password"),
    "password2": lazy_gettext("Password again"),
    "own_password": lazy_gettext("Your own password"),
    "name": lazy_gettext("Name"),
    "file": lazy_gettext("File"),
    "on_conflict": lazy_gettext("If the email already exists"),
    "on_bad_profile": lazy_gettext("A profile with a wrong field"),
}

#: The kinds of records, one and many, by the names that permissions give them.
KIND = {
    "user": lazy_gettext("user"),
    "group": lazy_gettext("group"),
    "session": lazy_gettext("session"),
    "message": lazy_gettext("letter"),
    "event": lazy_gettext("event"),
    "import": lazy_gettext("import"),
    "bulk": lazy_gettext("bulk action"),
    "key": lazy_gettext("key"),
}
KINDS = {
    "user": lazy_gettext("users"),
    "group": lazy_gettext("groups"),
    "session": lazy_gettext("sessions"),
    "message": lazy_gettext("letters"),
    "event": lazy_gettext("events"),
}

#: What a permission lets people do, by its beginning.
VERBS = {
    "view": lazy_gettext("view"),
    "add": lazy_gettext("add"),
    "change": lazy_gettext("change"),
    "delete": lazy_gettext("delete"),
}

#: How letters and sessions stand, by the values of the filter.
STATES = {
    "due": lazy_gettext("due"),
    "sent": lazy_gettext("sent"),
    "given-up": lazy_gettext("given up"),
    "active": lazy_gettext("active"),
    "ended": lazy_gettext("ended"),
}

#: How imports and bulk actions stand.
STATES_OF_JOBS = {
    "waiting": lazy_gettext("waiting"),
    "running": lazy_gettext("running"),
    "done": lazy_gettext("done"),
    "failed": lazy_gettext("failed"),
    "cancelled": lazy_gettext("cancelled"),
}

#: What becomes of a row whose email a user has already.
WAYS = {
    "skip": lazy_gettext("skip the row"),
    "update": lazy_gettext("update the user"),
    "fail": lazy_gettext("import nothing"),
}

#: What becomes of a user whose profile has a field that is wrong or missing.
BAD_PROFILE_WAYS = {
    "leave-out-field": lazy_gettext("leave out that field"),
    "refuse-user": lazy_gettext("refuse the user"),
    "leave-out-profile": lazy_gettext("leave out the profile"),
}

#: What an import counts, in the order in which it is shown.
COUNTS = {
    "made": lazy_gettext("imported"),
    "updated": lazy_gettext("updated"),
    "there_already": lazy_gettext("there already"),
    "refused": lazy_gettext("refused"),
    "altered": lazy_gettext("altered"),
    "groups_made": lazy_gettext("groups made"),
}

#: What an import has to say of a record.
TOLD = {
    "refused": lazy_gettext("refused"),
    "altered": lazy_gettext("altered"),
    "there already": lazy_gettext("there already"),
}

#: Why a bulk action left accounts out; what it says of accounts that it does not concern depends on the action.
REASONS = {
    "own_account": lazy_gettext("Your own account"),
    "permission_denied": lazy_gettext("Has rights that you lack"),
    "last_superuser": lazy_gettext("The last active superuser"),
    "not_found": lazy_gettext("No longer exists"),
}

#: What is deleted along with a user.
PARTS_OF_USERS = {
    "profile": lazy_gettext("Profile"),
    "sessions": lazy_gettext("Active sessions"),
    "memberships of groups": lazy_gettext("Memberships of groups"),
    "links in letters": lazy_gettext("Links in letters"),
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
    "field_names": FIELDS,
    "kind_names": KIND,
    "kinds_names": KINDS,
    "verb_names": VERBS,
    "state_names": STATES,
    "job_state_names": STATES_OF_JOBS,
    "way_names": WAYS,
    "bad_profile_way_names": BAD_PROFILE_WAYS,
    "count_names": COUNTS,
    "told_names": TOLD,
    "reason_names": REASONS,
    "orderings": ORDERINGS,
}
