"""Who requested a page, and whether a submitted form is one that we gave to that browser."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import current_app, request
from flask_babel import lazy_gettext

from userapi.auth import authentication, profile_gate, proof, set_up_sessions
from userapi.auth.problems import CsrfFailed
from userapi.html import csrf

View = TypeVar("View", bound=Callable[..., Any])

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class StaleFormShownAgain(csrf.StaleForm):
    """The error of `csrf.StaleForm`, on the page that has the form, filled in with what was typed."""

    detail = lazy_gettext(
        "This form was open for too long, or your browser blocks cookies. Check what you typed and submit it again."
    )


def open_to_visitors(view: View) -> View:
    """Let anyone open this page or submit its form; all other pages require a session."""
    view.open_to_visitors = True  # type: ignore[attr-defined]
    return view


def fresh(view: View) -> View:
    """Require a recent proof of identity for this page or form."""
    view.fresh = True  # type: ignore[attr-defined]
    return view


def open_to_set_up(view: View) -> View:
    """Also for users who have to set up or give a second step before they may do anything else."""
    view.open_to_set_up = True  # type: ignore[attr-defined]
    return view


def open_to_incomplete(view: View) -> View:
    """Also for users whose profile lacks mandatory fields."""
    view.open_to_incomplete = True  # type: ignore[attr-defined]
    return view


def without_form_token(view: View) -> View:
    """Also take a form of another site. The view must do nothing that the visitor did not begin."""
    view.without_form_token = True  # type: ignore[attr-defined]
    return view


def check_access() -> None:
    """Check session and CSRF token before a page.

    Raises:
        NotSignedIn, InvalidToken and those of Flask-JWT-Extended: the page requires a session and there is none.
        StaleForm: the form has no valid CSRF token.
        ProfileIncomplete: the page requires mandatory fields of the profile.
        SecondStepRequired: the page requires a second step.
        ProofNeeded: the page requires a more recent or stronger proof of identity.
    """
    if request.method == "OPTIONS":
        return
    if is_open_to_visitors():
        if request.method in SAFE_METHODS:
            authentication.sign_in_by_cookie()
        elif not _takes_forms_of_others() and not csrf.has_visitor_token():
            raise csrf.StaleForm
        return
    try:
        caller = authentication.require_caller("cookies")
    except CsrfFailed as error:
        raise csrf.StaleForm from error
    view = current_app.view_functions[str(request.endpoint)]
    if not hasattr(view, "open_to_set_up"):
        set_up_sessions.require_full(caller.is_for_set_up)
    if not hasattr(view, "open_to_incomplete"):
        profile_gate.require_complete(caller)
    if hasattr(view, "fresh"):
        proof.require_fresh(caller)


def is_open_to_visitors() -> bool:
    """Whether the page of this request requires no session."""
    return hasattr(current_app.view_functions[str(request.endpoint)], "open_to_visitors")


def _takes_forms_of_others() -> bool:
    return hasattr(current_app.view_functions[str(request.endpoint)], "without_form_token")
