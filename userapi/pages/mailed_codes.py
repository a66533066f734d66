"""The pages for signing in with a code or link that was sent by email."""

from collections.abc import Callable

from flask import Response, url_for
from flask_babel import gettext as _

from userapi.auth import cookies, mailed_code_requests, mailed_codes
from userapi.auth.mailed_code_requests import LIFETIME
from userapi.auth.mailed_codes import SignedIn
from userapi.auth.problems import InvalidMailedCode, SecondStepNeeded
from userapi.core.db import commit_on
from userapi.core.problems import NotFound
from userapi.html.flash import flash
from userapi.html.redirects import next_path, redirect_to
from userapi.mail.emails import masked
from userapi.users.email_links import InvalidLink

from . import schemas, sign_in_code_cookie
from .layout import blueprint, render_page
from .page_auth import open_to_visitors
from .remembered_email import remembered_email
from .single_submission import Done, submit_code_once, submit_once
from .submitted_forms import load_form, show_on_error


@blueprint.get("/login/code/")
@open_to_visitors
def show_code_request() -> str:
    """Show the form that requests a code by email."""
    _require_on()
    return render_page("code_request.html", next=next_path(), email=remembered_email())


@blueprint.post("/login/code/")
@open_to_visitors
@show_on_error(show_code_request)
@submit_once
def request_code() -> Done:
    """Send a code. The response is the same for all email addresses."""
    _require_on()
    email = load_form(schemas.code_request)["email"]
    challenge = mailed_code_requests.request_sign_in(email)
    sent_code = {"challenge": str(challenge), "email": email, "next": next_path()}
    return Done(url_for("pages.show_code_sent"), sent_code=sent_code)


@blueprint.get("/login/code/sent/")
@open_to_visitors
def show_code_sent() -> str | Response:
    """Show the form for the code. Opening or reloading the page changes nothing."""
    _require_on()
    sent_code = sign_in_code_cookie.get_sent_code()
    if not sent_code["challenge"]:
        flash(_("This code has expired or was used. Request another one."), "warning")
        return redirect_to("pages.show_code_request", next=next_path() or None)
    return render_page("code_sent.html", email=sent_code["email"], next=sent_code["next"], seconds=LIFETIME.seconds)


@blueprint.post("/login/code/sent/")
@open_to_visitors
@show_on_error(show_code_sent)
@submit_code_once
def sign_in_by_code() -> Done:
    """Check the code, sign in, and continue to the page that the visitor requested."""
    _require_on()
    code = load_form(schemas.mailed_code)["code"]
    sent_code = sign_in_code_cookie.get_sent_code()
    return _finish(
        lambda: mailed_codes.sign_in_by_code(sent_code["challenge"], code, cookies.get_device_token()),
        following=sent_code["next"],
    )


@blueprint.get("/sign-in/<token>/")
@open_to_visitors
def show_sign_in_link(token: str) -> str:
    """Show a button in the browser that requested the link, and elsewhere a form for the code from the same email.

    Mail scanners open links and press buttons, and an attacker can send a link to the attacker's own account.
    """
    found = mailed_codes.find_link(token)
    if found is None:
        raise InvalidLink
    is_here = mailed_codes.is_requested_here(found, sign_in_code_cookie.get_sent_code()["challenge"])
    return render_page("sign_in_link.html", is_requested_here=is_here, email=masked(found.address_key))


@blueprint.post("/sign-in/<token>/")
@open_to_visitors
@show_on_error(show_sign_in_link)
@submit_code_once
def sign_in_by_link(token: str) -> Done:
    """Sign in with a link, and elsewhere than in the browser that requested it with the code too."""
    code = load_form(schemas.code_of_link).get("code")
    sent_code = sign_in_code_cookie.get_sent_code()
    return _finish(
        lambda: mailed_codes.sign_in_by_link(
            token, code=code, challenge=sent_code["challenge"], device_token=cookies.get_device_token()
        ),
        following=sent_code["next"],
    )


def _finish(sign_in: Callable[[], SignedIn], following: str) -> Done:
    """Sign in, and continue with the second step or the page that the visitor requested."""
    try:
        with commit_on(InvalidMailedCode, SecondStepNeeded):
            session, is_claimed = sign_in()
    except SecondStepNeeded as needed:
        path = url_for("pages.show_second_step", next=following or None)
        return Done(path, mfa_token=needed.mfa_token, delete_cookie=sign_in_code_cookie.name_and_path())
    return Done(
        following or url_for("pages.show_account"),
        "account_claimed" if is_claimed else None,
        session_id=str(session.id),
        language=session.user.language,
        delete_cookie=sign_in_code_cookie.name_and_path(),
    )


def _require_on() -> None:
    if not mailed_code_requests.is_on():
        raise NotFound
