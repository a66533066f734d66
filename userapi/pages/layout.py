"""What all pages share: the guard before them, the frame around them, and where a refusal leads."""

from functools import partial
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request

from userapi.auth import authentication, cookies, saved_forms
from userapi.auth.caller import find_caller
from userapi.http import errors
from userapi.http.cross_origin import fetch_site
from userapi.users import fields
from userapi.users.email_links import InvalidLink

from . import forms, notices, page_auth, redirects

#: Pages whose address is or was a secret: no request that they cause may tell where it came from.
SECRET_PATHS = ("/reset/", "/invitation/", "/verify-email/", "/undo-email-change/")

SIGN_IN, SIGN_OUT = "pages.log_in", "pages.log_out"


class Pages(Blueprint):
    """A blueprint whose every page wants a session unless it says otherwise."""

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(name, import_name)
        self.before_request(page_auth.check)
        self.after_request(page_auth.remember_visitor)
        self.after_request(notices.clear_taken)
        self.after_request(_keep_links_secret)
        for refusal in authentication.SIGN_IN_REQUIRED:
            self.register_error_handler(refusal, _send_to_sign_in)
        self.register_error_handler(page_auth.StaleForm, _go_on)
        self.register_error_handler(InvalidLink, _explain_invalid_link)


def page(template: str, **facts: Any) -> str:
    """A page.

    Args:
        template: its file in `templates/pages/`.
        facts: what it says, besides what every page can.
    """
    caller = find_caller()
    me = caller.user if caller else None
    common = {
        "caller": caller,
        "form": forms.present(me),
        "form_id": page_auth.form_id,
        "me": me,
        "notice": notices.take(),
        "session_proof": page_auth.session_proof,
        "visitor_proof": page_auth.visitor_proof,
        "field_labels": fields.LABELS,
        "user_fields": fields.OWN_INPUTS,
        "profile_fields": fields.PROFILE,
    }
    return render_template(f"pages/{template}", **common, **facts)


def _keep_links_secret(response: Response) -> Response:
    if request.path.startswith(SECRET_PATHS):
        response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _send_to_sign_in(_refusal: Exception) -> Response:
    if request.endpoint == SIGN_OUT:
        return cookies.delete_token_cookies(redirects.to("pages.show_logout"))
    return saved_forms.send_to_sign_in()


def _go_on(refusal: page_auth.StaleForm) -> Response:
    """Go where the sign-in leads if somebody is signed in; else show the form again with what was typed into it."""
    if authentication.is_signed_in_by_cookie():
        if request.endpoint == SIGN_IN:
            return redirects.to_next()
        if not page_auth.is_open_to_visitors() and (again := saved_forms.reopen_form()):
            return again
    show = getattr(current_app.view_functions[str(request.endpoint)], "shown_by", None)
    if show is None or not page_auth.is_open_to_visitors() or fetch_site() == "cross-site":
        return errors.answer(refusal)
    try:
        return forms.show_again(page_auth.FormShownAgain(), partial(show, **(request.view_args or {})))
    except InvalidLink as invalid:
        return make_response(_explain_invalid_link(invalid))


def _explain_invalid_link(refusal: InvalidLink) -> tuple[str, int]:
    return page("invalid_link.html", kind=request.path.split("/")[1]), refusal.status


blueprint = Pages("pages", __name__)
