"""Which tables have rows about a user, and what of them the owner gets with an export of their own data.

Every table whose columns name a user is in `PARTS`, in `DESCRIBED` or in `LEFT_OUT`, and every column of a part is in
`columns` or in `withheld`: the tests compare these lists with the database.
"""

from typing import NamedTuple


class Part(NamedTuple):
    """The rows of one table, as a member of the export.

    Attributes:
        member: its name in the export.
        table: the table.
        text: what its rows are, for the API document.
        columns: those that the owner gets.
        withheld: the others: secrets and what they are compared with, contents of emails, and states of the service
            that say nothing about the user.
        owner: the column with the ID of the user.
    """

    member: str
    table: str
    text: str
    columns: tuple[str, ...]
    withheld: tuple[str, ...] = ()
    owner: str = "user_id"


PARTS = (
    Part(
        "sessions", "login_sessions",
        "The stored sessions, also those that have ended.",
        ("id", "created_at", "last_used_at", "refreshed_at", "expires_at", "ended_at", "address", "user_agent", "way",
         "amr", "proved_at", "for_set_up", "identity_id", "key_id"),
        ("session_version", "refresh_jti", "previous_jti", "impersonator_id", "impersonator_session_id",
         "returned_at"),
    ),
    Part(
        "api_keys", "api_keys",
        "The API keys, without the keys themselves.",
        ("id", "name", "last4", "scopes", "addresses", "amr", "created_at", "expires_at", "last_used_at",
         "last_address", "known_addresses", "revoked_at", "replaced_by"),
        ("digest", "warned_days"),
    ),
    Part(
        "passkeys", "passkeys",
        "The passkeys, with their public keys.",
        ("id", "name", "created_at", "last_used_at", "credential_id", "public_key", "algorithm", "sign_count", "handle",
         "aaguid", "transports", "rp_id", "backup_eligible", "backed_up", "user_verified", "discoverable",
         "counter_went_back_at"),
        ("credential_digest",),
    ),
    Part(
        "apps", "totp_devices",
        "The authenticator apps, without their secrets.",
        ("id", "name", "digits", "period", "algorithm", "created_at", "confirmed_at", "last_used_at"),
        ("secret", "last_step", "set_up_in"),
    ),
    Part("recovery_codes", "recovery_codes", "When each recovery code was used.", ("used_at",), ("digest",)),
    Part(
        "second_factors", "second_factors",
        "Since when a sign-in needs a second step, and wrong codes.",
        ("handle", "active_since", "failures", "last_failed_at", "failing_reported_at", "codes_made_at"),
    ),
    Part(
        "devices", "remembered_devices",
        "The remembered devices.",
        ("id", "address", "user_agent", "created_at", "last_used_at", "expires_at"),
        ("digest", "session_version"),
    ),
    Part(
        "identities", "identities",
        "The accounts at other services.",
        ("id", "issuer", "subject", "provider", "email", "email_trusted", "created_at", "last_used_at"),
    ),
    Part(
        "visits", "visits",
        "What other services said at sign-ins of the last hours.",
        ("provider", "purpose", "next", "return_to", "created_at", "expires_at", "answered_at", "issuer", "subject",
         "email", "email_trusted", "first_name", "last_name", "outcome", "used_at"),
        ("state_digest", "browser_digest", "client_challenge", "client_state", "session_version", "ticket_digest"),
    ),
    Part(
        "pending_sign_ins", "pending_sign_ins",
        "Sign-ins that wait for their second step.",
        ("way", "amr", "created_at", "expires_at", "used_at", "identity_id", "proved_email_key"),
        ("digest", "session_version"),
    ),
    Part(
        "codes", "sign_in_codes",
        "Codes that were requested by email.",
        ("id", "purpose", "address_key", "tries", "created_at", "expires_at", "used_at"),
        ("session_version", "ticket_digest", "code_mac", "link_digest", "client_challenge"),
    ),
    Part(
        "links", "one_time_tokens",
        "Links that were sent by email.",
        ("purpose", "address_key", "previous_email", "created_at", "expires_at", "used_at"),
        ("digest", "password_mark"),
    ),
    Part(
        "invitations", "invitations",
        "The invitation with which the account was created, for some days.",
        ("id", "email", "facts", "message", "language", "created_at", "sent_at", "expires_at", "accepted_at"),
        ("email_key", "digest", "by_staff", "by_operator", "inviter_id", "revoked_at"),
    ),
    Part(
        "restores", "account_restores",
        "Links that were sent to restore the account after it was closed.",
        ("email", "expires_at", "used_at"),
        ("id", "digest"),
    ),
    Part(
        "emails", "messages",
        "The stored emails, without their contents.",
        ("id", "created_at", "kind", "recipient", "subject", "expires_at", "sent_at", "given_up_at"),
        ("text", "html", "secret", "message_id", "attempts", "due_at", "claimed_until", "last_error"),
    ),
    Part(
        "saved_filters", "saved_filters",
        "The saved filters of the user list of the staff site.",
        ("name", "query"),
        ("id",),
    ),
    Part(
        "app_consents", "openid_consents",
        "What the user allows client applications.",
        ("client_id", "scopes", "given_at", "changed_at"),
    ),
    Part(
        "app_requests", "openid_authorizations",
        "Sign-ins to client applications of the last day.",
        ("client_id", "request", "created_at", "expires_at", "session_id", "scopes", "answered_at", "used_at"),
        ("handle_digest", "is_pushed", "session_version", "code_digest", "code_expires_at", "family_id"),
    ),
    Part(
        "app_tokens", "openid_token_families",
        "The access that client applications have, without the tokens.",
        ("id", "client_id", "session_id", "is_offline", "scopes", "resource", "auth_time", "amr", "created_at",
         "refreshed_at", "expires_at", "ended_at"),
        ("session_version", "sid", "refresh_jti", "previous_jti"),
    ),
    Part(
        "app_devices", "openid_device_grants",
        "Devices that requested to sign in as the user.",
        ("client_id", "scopes", "created_at", "expires_at", "session_id", "approved_at", "denied_at", "used_at",
         "address", "user_agent"),
        ("device_digest", "user_code", "polled_at", "interval", "session_version"),
    ),
    Part(
        "inactivity", "account_activity",
        "The last use of sessions and API keys that were deleted, and warnings that the account will be closed.",
        ("last_active_at", "warned_at", "warned_days", "ends_at"),
    ),
)  # fmt: skip

#: Tables that the export describes in a member of its own, and the columns that it leaves out.
DESCRIBED = {
    "users": (
        "kind", "email_key", "username_key", "first_name_key", "last_name_key", "password_hash", "session_version",
        "closes_at", "held_reason",
    ),
    "user_profiles": (),
    "user_groups": (),
    "user_permissions": (),
    "audit_events": ("origin", "os_user", "impersonator_id", "position"),
}  # fmt: skip

#: Tables with IDs of users that the export does not contain, and why.
LEFT_OUT = {
    "user_field_keys": "folded copies of values of the profile",
    "import_jobs": "files with data of other users; the events say when the user started one",
    "bulk_jobs": "actions on other users; the events say when the user started one",
    "bulk_targets": "which accounts a job of staff is about; the events say what it did",
    "openid_clients": "settings of the service; the events say when the user changed one",
    "openid_client_sessions": "which application is called when a session ends; the tokens are in the export",
    "webhook_endpoints": "settings of the service; the events say when the user changed one",
    "webhook_deliveries": "that another service got an event, which is in the export",
}
