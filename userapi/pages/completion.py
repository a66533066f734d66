"""The page on which users fill in what is missing of their profile (decision 0076)."""

from flask import Response, request, url_for

from userapi.auth.caller import get_caller
from userapi.core.db import db
from userapi.html.redirects import next_path, redirect_to, redirect_to_next
from userapi.http import errors
from userapi.http.impersonating import Impersonating, mark_impersonating
from userapi.users import missing_fields
from userapi.users.problems import ProfileIncomplete

from . import own_profile, schemas
from .account import edit_caller
from .layout import blueprint, render_page
from .page_auth import SAFE_METHODS, open_to_incomplete
from .single_submission import Done, submit_once
from .submitted_forms import current_form, show_on_error


@blueprint.get("/account/complete/")
@open_to_incomplete
def show_completion() -> str | Response:
    """Show the form for what is missing of the profile."""
    caller = get_caller()
    inputs = own_profile.list_missing_inputs(current_form(caller.user.id), caller)
    if not inputs:
        return redirect_to_next()
    return render_page(
        "complete_profile.html",
        inputs=inputs,
        is_mandatory=bool(missing_fields.list_mandatory(caller.user)),
        following=next_path(),
    )


@blueprint.post("/account/complete/")
@mark_impersonating(Impersonating.WRITES)
@open_to_incomplete
@show_on_error(show_completion)
@submit_once
def complete_profile() -> Done:
    """Store what was missing, and continue with the page that was requested."""
    edit_caller(schemas.completion)
    return Done(next_path() or url_for("pages.show_account"), "saved")


@blueprint.app_errorhandler(ProfileIncomplete)
def handle_incomplete_profile(problem: ProfileIncomplete) -> Response:
    """Show the form for what is missing, which leads to the requested page; programs get the problem."""
    db.session.rollback()
    if not errors.wants_error_page():
        return errors.problem_response(problem)
    following = request.full_path.rstrip("?") if request.method in SAFE_METHODS else None
    return redirect_to("pages.show_completion", next=following)
