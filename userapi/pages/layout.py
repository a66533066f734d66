"""What all pages share: the access check, the template context, and what happens on errors."""

from functools import partial
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request

from userapi.auth import authentication, cookies
from userapi.auth.caller import find_caller
from userapi.core.problems import Problem
from userapi.federation import providers
from userapi.html import csrf, required_second_step, saved_forms
from userapi.html.field_labels import get_labels
from userapi.html.flash import take_messages
from userapi.html.redirects import redirect_to, redirect_to_next
from userapi.http import errors, submissions
from userapi.http.cross_origin import get_fetch_site
from userapi.users import fields
from userapi.users.email_links import InvalidLink

from . import own_profile, page_auth, submitted_forms, suggestions

#: Pages whose URL is or was a secret: no request from them may reveal it in a Referer header.
SECRET_PATHS = ("/reset/", "/invitation/", "/verify-email/", "/undo-email-change/", "/sign-in/", "/restore-account/")

SIGN_IN, SIGN_OUT, REGISTER = "pages.sign_in_user", "pages.sign_out_user", "pages.register"
CLOSE, CLOSED = "pages.close_account", "pages.show_closed"
STOP = "impersonation.stop"


class Pages(Blueprint):
    """A blueprint whose pages all require a session unless they are `open_to_visitors`."""

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(name, import_name)
        self.before_request(page_auth.check_access)
        self.after_request(csrf.set_visitor_cookie)
        self.after_request(_hide_secret_url)
        for error in authentication.SIGN_IN_REQUIRED:
            self.register_error_handler(error, _redirect_to_sign_in)
        self.register_error_handler(csrf.StaleForm, _handle_stale_form)
        self.register_error_handler(InvalidLink, _show_invalid_link)


def render_page(template: str, **context: Any) -> str:
    """Render a page.

    Args:
        template: its file in `templates/pages/`.
        context: in addition to what all pages get.
    """
    caller = find_caller()
    me = caller.user if caller else None
    user_id = me.id if me else None
    form = submitted_forms.current_form(user_id)
    common = {
        "caller": caller,
        "form": form,
        "field_labels": get_labels(),
        "user_fields": fields.ACCOUNT_PAGE_INPUTS,
        "profile_fields": fields.PROFILE,
        "profile_inputs": partial(own_profile.list_inputs, form, caller),
        "suggestions": suggestions.SUGGESTIONS,
        "birthday_hint": suggestions.get_birthday_hint,
        "form_id": partial(saved_forms.form_id, user_id),
        "me": me,
        "configured_providers": providers.configured,
        "messages": take_messages(),
        "csrf_token": partial(csrf.session_token, caller.session_id) if caller else None,
        "visitor_csrf_token": csrf.visitor_token,
        "second_step_notice": required_second_step.get_notice(caller),
    }
    return render_template(f"pages/{template}", **common, **context)


def _hide_secret_url(response: Response) -> Response:
    if request.path.startswith((*SECRET_PATHS, "/auth/")):
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _redirect_to_sign_in(_error: Exception) -> Response:
    if request.endpoint == SIGN_OUT:
        return cookies.delete_token_cookies(redirect_to("pages.show_sign_out"))
    if request.endpoint == CLOSE and _was_submitted():  # a second click
        return cookies.delete_token_cookies(redirect_to(CLOSED))
    return saved_forms.redirect_to_sign_in()


def _was_submitted() -> bool:
    """Whether the same form has been submitted and processed a moment ago."""
    key = saved_forms.submission_key()
    return key is not None and submissions.find_outcome(key) is not None


def _handle_stale_form(error: csrf.StaleForm) -> Response:
    """Continue where the sign-in leads if a user is signed in; otherwise show the form again, filled in."""
    if authentication.is_signed_in_by_cookie():
        if request.endpoint == STOP and cookies.get_own_session() is None:  # stopped in another tab
            return redirect_to("pages.show_account")
        if request.endpoint == SIGN_IN:
            return redirect_to_next()
        if request.endpoint == REGISTER:
            return redirect_to("pages.show_registration")  # says who is signed in
        if not page_auth.is_open_to_visitors() and (redirect := saved_forms.redirect_to_form()):
            return redirect
    show_page = getattr(current_app.view_functions[str(request.endpoint)], "page_on_error", None)
    if show_page is None or not page_auth.is_open_to_visitors() or get_fetch_site() == "cross-site":
        return errors.problem_response(error)
    try:
        show_page = partial(show_page, **(request.view_args or {}))
        return submitted_forms.show_rejected_form(page_auth.StaleFormShownAgain(), show_page)
    except InvalidLink as invalid:
        return make_response(_show_invalid_link(invalid))
    except Problem as problem:  # that page cannot be shown either, such as one whose ticket has expired
        return errors.problem_response(problem)


def _show_invalid_link(error: InvalidLink) -> tuple[str, int]:
    return render_page("invalid_link.html", kind=request.path.split("/")[1]), error.status


blueprint = Pages("pages", __name__)
