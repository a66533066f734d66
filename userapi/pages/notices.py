"""What pages say after a form that succeeded."""

from flask_babel import lazy_gettext

#: By names, because the name of a text is stored with the form and a second submission may be in another language.
TEXTS = {
    "account_created": lazy_gettext("Your account has been created and you are signed in."),
    "account_created_confirm_email": lazy_gettext(
        "Your account has been created and you are signed in. Confirm your email address with the link we sent you."
    ),
    "account_created_confirm_email_first": lazy_gettext(
        "Your account has been created. Confirm your email address with the link we sent you, then sign in."
    ),
    "email_confirmed": lazy_gettext("Your email address has been confirmed."),
    "email_change_requested": lazy_gettext(
        "We have sent a link to your new email address. Open it to confirm the change; "
        "until then your email address stays the same."
    ),
    "email_unchanged": lazy_gettext(
        "This is already your email address, so no link was sent. No email change is pending."
    ),
    "email_sent_again": lazy_gettext("We have sent the email again."),
    "invitation_accepted": lazy_gettext("Welcome! Your password has been set and you are signed in."),
    "app_added": lazy_gettext("The authenticator app has been added."),
    "app_removed": lazy_gettext("The authenticator app has been removed. Your other sessions have ended."),
    "passkey_added": lazy_gettext("The passkey has been added."),
    "passkey_removed": lazy_gettext("The passkey has been removed. Your other sessions have ended."),
    "second_step_on": lazy_gettext("Two-step sign-in is on."),
    "second_step_off": lazy_gettext("Two-step sign-in is off. Your password is now enough to sign in."),
    "recovery_codes_kept": lazy_gettext("Keep your recovery codes in a safe place."),
    "device_forgotten": lazy_gettext("The device has been forgotten. The next sign-in on it needs a second step."),
    "devices_forgotten": lazy_gettext("All remembered devices have been forgotten."),
    "saved": lazy_gettext("Your changes have been saved."),
    "session_ended": lazy_gettext("The session has ended."),
    "sessions_ended": lazy_gettext("Your other sessions have ended."),
}
