"""The pages of a signed-in user's account: profile, security, devices."""

import uuid
from functools import partial
from typing import Any

from flask import Response, url_for

from userapi.auth import proof, sessions
from userapi.auth.caller import get_caller
from userapi.core.db import commit_on
from userapi.html.redirects import redirect_to
from userapi.http.user_agents import describe_user_agent, is_mobile
from userapi.mfa import factors, passkey_options, remembered_devices, requirements
from userapi.users import account_edits, accounts, email_verification
from userapi.users.problems import WrongPassword

from . import schemas
from .layout import blueprint, render_page
from .page_auth import open_to_set_up
from .single_submission import Done, submit_once
from .submitted_forms import load_form, show_on_error


@blueprint.get("/account/")
def show_account() -> str:
    """Show names, profile and language."""
    return render_page("account/profile.html")


@blueprint.post("/account/")
@show_on_error(show_account)
@submit_once
def edit_account() -> Done:
    """Change names, language and profile."""
    return Done(url_for("pages.show_account"), "saved", language=_edit_own_account().get("language"))


@blueprint.get("/register/profile/")
def open_first_profile() -> str | Response:
    """Show the second step of a registration; an account that has a profile needs none."""
    has_profile = get_caller().user.profile_title is not None
    return redirect_to("pages.show_account") if has_profile else show_first_profile()


def show_first_profile() -> str:
    """Show the form for names and profile of the account that the first step created."""
    return render_page("register_profile.html")


@blueprint.post("/register/profile/")
@show_on_error(show_first_profile)
@submit_once
def save_first_profile() -> Done:
    """Store names and profile."""
    _edit_own_account()
    return Done(url_for("pages.show_account"), "saved")


def _edit_own_account() -> dict[str, Any]:
    """Change the caller's account as the submitted form says; the changes."""
    caller = get_caller()
    me = caller.user
    schema = schemas.account_without_profile if me.profile_title is None else schemas.account
    user = accounts.lock(me.id, by=caller.actor)
    changes = load_form(schema)
    account_edits.edit(user, changes, by=caller.actor)
    return changes


@blueprint.get("/account/security/")
@open_to_set_up
def show_security() -> str:
    """Show how the user signs in: email address and password."""
    me = get_caller().user
    return render_page(
        "account/security.html",
        factors=factors.read_overview(me.id),
        is_required=requirements.is_demanded(me),
        known_passkeys=partial(passkey_options.describe_known, me),
    )


# Forms that were open before these pages were separate send to the first of two paths.
@blueprint.post("/account/email/")
@blueprint.post("/account/security/email/")
@show_on_error(show_security)
@submit_once
def change_email() -> Done:
    """Request an email change, which takes effect when the link in the email is opened."""
    change = load_form(schemas.email_change)
    with commit_on(WrongPassword):
        user = proof.lock_after_proof(get_caller(), change.get("password"))
    is_sent = email_verification.request_email_change(user, change["email"])
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
