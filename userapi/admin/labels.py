"""The staff site's names of record types, states and reasons."""

from flask_babel import lazy_gettext

from userapi.audit.names import ACTIONS, ORIGINS, actor
from userapi.http.user_agents import describe_user_agent
from userapi.invitations import state_texts as invitation_state_texts
from userapi.mfa import user_filters
from userapi.outbound.webhook_requests import Error
from userapi.users import fields, permission_names
from userapi.webhooks.delivery import EVENT_DELETED, INTERNAL_ERROR, INTERRUPTED
from userapi.webhooks.endpoint_health import Health
from userapi.webhooks.models import DisabledReason
from userapi.webhooks.models import State as DeliveryState

#: Types of records, by their names in permissions and events.
KIND = {
    "user": lazy_gettext("User"),
    "group": lazy_gettext("Group"),
    "session": lazy_gettext("Session"),
    "email": lazy_gettext("Email"),
    "message": lazy_gettext("Email"),  # the name in audit events
    "event": lazy_gettext("Event"),
    "invitation": lazy_gettext("Invitation"),
    "import": lazy_gettext("Import"),
    "bulk": lazy_gettext("Bulk action"),
    "key": lazy_gettext("Signing key"),
    "webhook": lazy_gettext("Webhook"),
    "client": lazy_gettext("Client application"),
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

#: What an import counts only where the file has accounts of other services.
IDENTITY_COUNTS = {"with_identities": lazy_gettext("With linked accounts")}

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
    "account_held": lazy_gettext("Legal hold"),
    "last_superuser": lazy_gettext("Last active superuser"),
    "not_found": lazy_gettext("No longer exists"),
}

#: Whether a webhook works, by `Health`.
WEBHOOK_HEALTH = {
    Health.ACTIVE: lazy_gettext("Active"),
    Health.FAILING: lazy_gettext("Failing"),
    Health.DISABLED: lazy_gettext("Disabled"),
}

#: Why a webhook is disabled.
DISABLED_REASONS = {
    DisabledReason.STAFF: lazy_gettext("A superuser disabled this webhook."),
    DisabledReason.GONE: lazy_gettext("This webhook was disabled because its receiver responded with 410 Gone."),
    DisabledReason.FAILING: lazy_gettext("This webhook was disabled because no delivery succeeded for five days."),
}

#: States of deliveries of webhooks.
DELIVERY_STATES = {
    DeliveryState.WAITING: lazy_gettext("Queued"),
    DeliveryState.HELD: lazy_gettext("Held"),
    DeliveryState.DELIVERED: lazy_gettext("Delivered"),
    DeliveryState.FAILED: lazy_gettext("Failed"),
    DeliveryState.DROPPED: lazy_gettext("Dropped"),
}

#: Why a delivery to a webhook failed, if not by the status of the response.
DELIVERY_ERRORS = {
    Error.TIMEOUT: lazy_gettext("The receiver did not respond in time."),
    Error.NAME_NOT_RESOLVED: lazy_gettext("The host name was not found."),
    Error.PRIVATE_IP_ADDRESS: lazy_gettext("The host is not on the public internet."),
    Error.INVALID_URL: lazy_gettext("The URL is not valid."),
    Error.HTTPS_REQUIRED: lazy_gettext("The URL must begin with https://."),
    Error.PORT_NOT_ALLOWED: lazy_gettext("The port is not allowed."),
    Error.IP_ADDRESS_IN_URL: lazy_gettext("The URL has an IP address instead of a host name."),
    Error.CERTIFICATE_INVALID: lazy_gettext("The certificate of the receiver is not valid."),
    Error.CONNECTION_FAILED: lazy_gettext("The connection failed."),
    Error.RESPONSE_TOO_LARGE: lazy_gettext("The response was too large."),
    EVENT_DELETED: lazy_gettext("The event was deleted before it was sent."),
    INTERRUPTED: lazy_gettext("Sending was interrupted too often."),
    INTERNAL_ERROR: lazy_gettext("Something went wrong on our side. The log of the service says more."),
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

#: The values of the filter by second step.
SECOND_STEPS = {
    user_filters.NONE: lazy_gettext("Without"),
    user_filters.APP: lazy_gettext("Authenticator app"),
    user_filters.PASSKEY: lazy_gettext("Passkey"),
    user_filters.LOCKED: lazy_gettext("Locked"),
}

#: For every template of the staff site.
FOR_TEMPLATES = {
    "origin_names": ORIGINS,
    "actor_name": actor,
    "text_inputs": fields.TEXT_INPUTS,
    "flag_inputs": fields.WRITABLE_FLAGS,
    "profile_fields": fields.PROFILE,
    "kind_names": KIND,
    "verb_names": permission_names.ACTIONS,
    "other_permissions": permission_names.OTHERS,
    "event_names": ACTIONS,
    "state_names": STATES,
    "invitation_states": invitation_state_texts.TEXTS,
    "job_state_names": JOB_STATES,
    "conflict_choices": CONFLICT_CHOICES,
    "bad_profile_choices": BAD_PROFILE_CHOICES,
    "count_names": COUNTS,
    "factor_count_names": FACTOR_COUNTS,
    "identity_count_names": IDENTITY_COUNTS,
    "issue_names": ISSUES,
    "reason_names": REASONS,
    "permission_name": permission_names.name_permission,
    "permissions_name": permission_names.name_permissions,
    "orderings": ORDERINGS,
    "second_step_names": SECOND_STEPS,
    "webhook_health_names": WEBHOOK_HEALTH,
    "disabled_reasons": DISABLED_REASONS,
    "delivery_state_names": DELIVERY_STATES,
    "delivery_errors": DELIVERY_ERRORS,
    "describe_user_agent": describe_user_agent,
}
