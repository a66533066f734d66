"""What pages say after a form that succeeded."""

from flask_babel import lazy_gettext

#: By names, because the name of a text is stored with the form and a second submission may be in another language.
TEXTS = {
    "account_claimed": lazy_gettext(
        "Your email address is now confirmed. Because it was not confirmed before, the earlier password was "
        "removed and all other sessions have ended. You can set a new password on the page Security."
    ),
    "account_created": lazy_gettext("Your account has been created and you are signed in."),
    "account_created_confirm_email": lazy_gettext(
        "Your account has been created and you are signed in. Confirm your email address with the link we sent you."
    ),
    "account_created_confirm_email_first": lazy_gettext(
        "Your account has been created. Confirm your email address with the link we sent you, then sign in."
    ),
    "account_restored": lazy_gettext("Your account has been restored. Sign in with the new password."),
    "api_key_revoked": lazy_gettext("The API key has been revoked. It no longer works."),
    "api_keys_revoked": lazy_gettext("Your API keys have been revoked. They no longer work."),
    "email_confirmed": lazy_gettext("Your email address has been confirmed."),
    "email_change_requested": lazy_gettext(
        "We have sent a link to your new email address. Open it to confirm the change; "
        "until then your email address stays the same."
    ),
    "email_unchanged": lazy_gettext(
        "This is already your email address, so no link was sent. No email change is pending."
    ),
    "email_sent_again": lazy_gettext("We have sent the email again."),
    "invitation_accepted": lazy_gettext("Welcome! Your account has been created and you are signed in."),
    "invitation_revoked": lazy_gettext("The invitation was revoked. Its link no longer works."),
    "invitation_sent": lazy_gettext("We have sent the invitation."),
    "invitation_sent_again": lazy_gettext("We have sent the invitation. Earlier links no longer work."),
    "identity_linked": lazy_gettext("You can now sign in to your account in this way too."),
    "identity_unlinked": lazy_gettext(
        "This way to sign in has been removed, and sessions that began with it have ended."
    ),
    "app_added": lazy_gettext("The authenticator app has been added."),
    "app_removed": lazy_gettext("The authenticator app has been removed. Your other sessions have ended."),
    "passkey_added": lazy_gettext("The passkey has been added."),
    "passkey_removed": lazy_gettext("The passkey has been removed. Your other sessions have ended."),
    "second_step_on": lazy_gettext("Two-step sign-in is on."),
    "second_step_off": lazy_gettext("Two-step sign-in is off. Your password is now enough to sign in."),
    "recovery_codes_kept": lazy_gettext("Keep your recovery codes in a safe place."),
    "device_forgotten": lazy_gettext(
        "The device is no longer remembered. The next sign-in on it requires a second step."
    ),
    "devices_forgotten": lazy_gettext(
        "No device is remembered any more. The next sign-in on each requires a second step."
    ),
    "saved": lazy_gettext("Your changes have been saved."),
    "session_ended": lazy_gettext("The session has ended."),
    "app_withdrawn": lazy_gettext("The application no longer has access."),
    "sessions_ended": lazy_gettext("Your other sessions have ended."),
}
