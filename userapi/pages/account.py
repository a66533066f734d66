"""The pages of a signed-in user's account: profile, security, devices."""

import uuid
from typing import Any

from flask import Response, url_for
from marshmallow import Schema

from userapi.auth import email_changes, identity_changes, sessions
from userapi.auth.assurance import Level
from userapi.auth.caller import get_caller
from userapi.core.db import commit_on
from userapi.federation import providers
from userapi.html.redirects import next_path, redirect_to_next
from userapi.http.impersonating import Impersonating, mark_impersonating
from userapi.http.user_agents import describe_user_agent, is_mobile
from userapi.mfa import factors, passkey_options, remembered_devices, requirements
from userapi.mfa.factors import Overview
from userapi.users import account_edits, accounts, email_verification, missing_fields
from userapi.users.problems import WrongPassword

from . import own_profile, schemas
from .layout import blueprint, render_page
from .page_auth import open_to_incomplete, open_to_set_up
from .single_submission import Done, submit_once
from .submitted_forms import load_form, show_on_error


@blueprint.get("/account/")
@open_to_incomplete
def show_account() -> str:
    """Show names, profile and language.

    After a sign-in with a second factor, a script reports the passkeys of the account to the browser.
    """
    caller = get_caller()
    known = None
    if caller.level is Level.TWO_FACTORS and passkey_options.are_available():
        overview = factors.read_overview(caller.user.id)
        known = passkey_options.describe_known(caller.user, overview) if overview.handle else None
    missing = own_profile.list_missing_labels(caller)
    return render_page("account/profile.html", known_passkeys=known, missing_fields=missing)


@blueprint.post("/account/")
@mark_impersonating(Impersonating.WRITES)
@open_to_incomplete
@show_on_error(show_account)
@submit_once
def edit_account() -> Done:
    """Change names, language and profile."""
    return Done(url_for("pages.show_account"), "saved", language=_edit_own_account().get("language"))


@blueprint.get("/register/profile/")
@open_to_incomplete
def open_first_profile() -> str | Response:
    """Show the second step of a registration; an account that has a profile needs none."""
    has_profile = get_caller().user.profile_user_id is not None
    return redirect_to_next() if has_profile else show_first_profile()


def show_first_profile() -> str:
    """Show the form for names and profile of the account that the first step created."""
    is_mandatory = bool(missing_fields.list_mandatory(get_caller().user))
    return render_page("register_profile.html", next=next_path(), is_mandatory=is_mandatory)


@blueprint.post("/register/profile/")
@mark_impersonating(Impersonating.WRITES)
@open_to_incomplete
@show_on_error(show_first_profile)
@submit_once
def save_first_profile() -> Done:
    """Store names and profile, and continue to the page that the user requested before registering."""
    _edit_own_account()
    return Done(next_path() or url_for("pages.show_account"), "saved")


def _edit_own_account() -> dict[str, Any]:
    """Change names, language and profile of the caller as the submitted form says; the changes."""
    has_profile = get_caller().user.profile_user_id is not None
    return edit_caller(schemas.account if has_profile else schemas.account_without_profile)


def edit_caller(schema: Schema) -> dict[str, Any]:
    """Change the caller's account as the submitted form says; the changes.

    Args:
        schema: of the form.
    """
    caller = get_caller()
    user = accounts.lock(caller.user.id, by=caller.actor)
    changes = load_form(schema)
    account_edits.edit(user, changes, by=caller.actor)
    return changes


@blueprint.get("/account/security/")
@open_to_set_up
def show_security() -> str:
    """Show how the user signs in: email address and password."""
    me = get_caller().user
    overview = factors.read_overview(me.id)
    return render_page(
        "account/security.html",
        identities=identity_changes.list_identities(get_caller()) if providers.configured() else [],
        factors=overview,
        is_required=requirements.is_demanded(me),
        known_passkeys=passkey_options.describe_known(me, overview) if _may_know_passkeys(overview) else None,
    )


def _may_know_passkeys(overview: Overview) -> bool:
    """Whether the browser may learn which passkeys the account has: not that of staff who act as the user."""
    return bool(overview.handle) and get_caller().impersonation is None


# Forms that were open before these pages were separate send to the first of two paths.
@blueprint.post("/account/email/")
@blueprint.post("/account/security/email/")
@open_to_set_up
@show_on_error(show_security)
@submit_once
def change_email() -> Done:
    """Request an email change, which takes effect when the link in the email is opened."""
    change = load_form(schemas.email_change)
    with commit_on(WrongPassword):
        is_sent = email_changes.request_email_change(get_caller(), change["email"], change.get("password"))
    return Done(url_for("pages.show_security"), "email_change_requested" if is_sent else "email_unchanged")


@blueprint.post("/account/email/resend/")
@blueprint.post("/account/security/email/resend/")
@open_to_set_up
@show_on_error(show_security)
@submit_once
def resend_confirmation() -> Done:
    """Send the confirmation link again."""
    me = get_caller().user
    email_verification.resend_confirmation_email(accounts.lock(me.id, by=me))
    return Done(url_for("pages.show_security"), "email_sent_again")


@blueprint.get("/account/devices/")
def show_devices() -> str:
    """Show the user's active sessions."""
    return render_page(
        "account/devices.html",
        sessions=sessions.list_user_sessions(get_caller().user.id),
        remembered=remembered_devices.list_devices(get_caller().user.id),
        describe=describe_user_agent,
        is_mobile=is_mobile,
        name_provider=identity_changes.name_provider_of_way,
    )


@blueprint.post("/account/sessions/<uuid:session_id>/end/")
@blueprint.post("/account/devices/<uuid:session_id>/end/")
@submit_once
def end_session(session_id: uuid.UUID) -> Done:
    """End one of the caller's sessions."""
    sessions.end_own_session(session_id, get_caller().user.id)
    return Done(url_for("pages.show_devices"), "session_ended")


@blueprint.post("/account/sessions/end-others/")
@blueprint.post("/account/devices/end-others/")
@submit_once
def end_other_sessions() -> Done:
    """End all sessions of the caller except this one."""
    caller = get_caller()
    sessions.end_other_sessions(caller.user.id, spare=caller.session_id)
    return Done(url_for("pages.show_devices"), "sessions_ended")
