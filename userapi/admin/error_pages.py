"""Pages for errors below `/admin/` that no view handles, such as an unknown URL.

Staff see them in the frame of the staff site; other signed-in users can sign in as someone else.
"""

from flask import render_template, request
from flask_babel import gettext as _

from userapi.auth import authentication
from userapi.auth.caller import get_caller
from userapi.auth.problems import CsrfFailed
from userapi.core.problems import NotFound, PermissionDenied, Problem, ProofNeeded, ReadOnlySession, SecondStepRequired

from . import staff_auth
from .views import ANY_STAFF, StaffView, csrf_token, staff_page

#: The statuses of errors that leave the database usable, which is needed to find out who asks.
STATUSES = (403, 404, 405)


class ErrorView(StaffView):
    """Renders the errors of URLs that belong to no other view. It is not registered, so it has no URL itself."""

    @staff_page("/", needs=ANY_STAFF)
    def index(self) -> str:
        """Nothing, but Flask-Admin requires a default page of each view."""
        raise NotFound


def render_error(view: StaffView, problem: Problem) -> str | None:
    """Render an error page for the caller; None where the public one fits."""
    if problem.status not in STATUSES:
        return None
    try:
        staff_auth.check_access()
    except (*authentication.SIGN_IN_REQUIRED, CsrfFailed):
        return None
    except (PermissionDenied, ReadOnlySession, SecondStepRequired, ProofNeeded):
        return render_template(
            "pages/problem.html",
            problem=problem,
            me=get_caller().user,
            csrf_token=csrf_token,
            next_page=None if get_caller().impersonation else request.path,
        )
    explanation = problem.detail if problem.status == 403 else _("There is no such page on the staff site.")
    if problem.status == 405:
        explanation = _("This page cannot be opened this way. Go back and try again.")
    return view.render("admin/error.html", problem=problem, explanation=explanation)
