"""Pages of users who have to set up or give a second step before they may do anything else (decision 0060)."""

from flask import Response

from userapi.auth import proof
from userapi.auth.caller import get_caller
from userapi.core.db import db
from userapi.core.problems import SecondStepRequired
from userapi.html.redirects import redirect_to
from userapi.http import errors

from .layout import blueprint
from .prove import handle_missing_proof


@blueprint.app_errorhandler(SecondStepRequired)
def handle_missing_second_step(problem: SecondStepRequired) -> Response:
    """Show the page that asks for the second step, or the page to set it up; programs get the problem."""
    db.session.rollback()
    if not errors.wants_error_page():
        return errors.problem_response(problem)
    caller = get_caller()
    if proof.find_second_step(caller) is not None:
        return handle_missing_proof(proof.to_problem(caller))
    return redirect_to("pages.show_security")
