"""The page for the second step of a sign-in."""

from typing import Any

from flask import Response, request
from flask_babel import gettext as _

from userapi.auth import admission, cookies, second_step
from userapi.auth.problems import MfaTokenInvalid
from userapi.core.db import commit_on
from userapi.html.flash import flash
from userapi.html.redirects import next_path, redirect_to
from userapi.mfa.passkey_problems import InvalidPasskey, NoPasskey

from . import schemas, second_step_cookie
from .layout import blueprint, render_page
from .page_auth import open_to_visitors
from .signed_in import respond_signed_in
from .submitted_forms import load_form, show_on_error

#: The ways to do the second step with a code.
BY_CODE = ("totp", "recovery_code")


@blueprint.get("/login/second-step/")
@open_to_visitors
def show_second_step() -> str | Response:
    """Show the form for a code. Opening or reloading the page changes nothing."""
    try:
        pending = second_step.find(second_step_cookie.get_mfa_token())
    except MfaTokenInvalid:
        return _begin_again()
    step = second_step.find_second_step(pending.user_id)
    ways = [way for way in BY_CODE if step is not None and way in step.ways]
    chosen = "recovery_code" if "recovery" in request.args or "totp" not in ways else "totp"
    return render_page(
        "second_step.html",
        next=next_path(),
        way=chosen,
        others=[way for way in ways if way != chosen],
        passkey=_find_passkey_options(pending),
        remembered_days=second_step.get_remembered_days(pending),
    )


@blueprint.post("/login/second-step/")
@open_to_visitors
@show_on_error(show_second_step)
def do_second_step() -> Response:
    """Check the code, sign in, and continue to the page that the visitor requested."""
    typed = load_form(schemas.second_step)
    try:
        finished = admission.finish_by_code(
            second_step_cookie.get_mfa_token(), typed["code"], remember_device=typed["remember_device"]
        )
    except MfaTokenInvalid:
        return _begin_again()
    return _respond(finished)


@blueprint.post("/login/second-step/passkey/")
@open_to_visitors
@show_on_error(show_second_step)
def do_second_step_by_passkey() -> Response:
    """Verify the passkey, sign in, and continue to the page that the visitor requested."""
    sent = load_form(schemas.second_step_passkey)
    try:
        with commit_on(InvalidPasskey):
            finished = admission.finish_by_passkey(
                second_step_cookie.get_mfa_token(), sent["credential"], remember_device=sent["remember_device"]
            )
    except MfaTokenInvalid:
        return _begin_again()
    return _respond(finished)


def _respond(finished: admission.Finished) -> Response:
    """Sign this browser in, and remember its device if that was requested."""
    response = second_step_cookie.delete_cookie(respond_signed_in(finished.session))
    return cookies.set_device_cookie(response, finished.device_token)


def _find_passkey_options(pending: Any) -> dict[str, Any] | None:
    """What a browser needs to use a passkey; None if the account has none for this site."""
    try:
        return second_step.build_passkey_options(pending)
    except NoPasskey:
        return None


def _begin_again() -> Response:
    flash(_("This sign-in has expired or was finished. Sign in again."), "warning")
    return second_step_cookie.delete_cookie(redirect_to("pages.show_sign_in", next=next_path() or None))
