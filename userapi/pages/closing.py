"""The pages on which owners close their account, and restore it with the link from the email."""

from datetime import timedelta

from flask import Response, current_app, request, url_for

from userapi.auth import api_keys, proof
from userapi.auth.caller import get_caller
from userapi.core import clock, private_cookies
from userapi.core.db import commit_on
from userapi.html.redirects import redirect_to
from userapi.privacy import closing, restoring
from userapi.users.email_links import InvalidLink
from userapi.users.problems import WrongPassword

from . import schemas
from .layout import blueprint, render_page
from .page_auth import open_to_incomplete, open_to_visitors
from .single_submission import Done, submit_once
from .submitted_forms import load_form, show_on_error

#: Holds the token of the link, so that it is in no URL when the form is shown.
RESTORE_COOKIE = "restore_token"
RESTORE_MAX_AGE = 3600


@blueprint.get("/account/close/")
@open_to_incomplete
def show_closing() -> str:
    """Show what closing the account does, and the form that does it."""
    caller = get_caller()
    proof.require_fresh_where_needed(always=not caller.user.has_password)
    return render_page(
        "account/close.html",
        closes_at=clock.now() + timedelta(days=current_app.config["CLOSING_DAYS"]),
        key_count=len(api_keys.list_keys(caller.user.id)) if api_keys.are_on() else 0,
    )


@blueprint.post("/account/close/")
@open_to_incomplete
@show_on_error(show_closing)
@submit_once
def close_account() -> Done:
    """Close the account, and sign out."""
    with commit_on(WrongPassword):
        closing.close_own_account(get_caller(), load_form(schemas.closing).get("password"))
    return Done(url_for("pages.show_closed"), signs_out=True)


@blueprint.get("/account-closed/")
@open_to_visitors
def show_closed() -> str:
    """Show that the account is closed."""
    return render_page("account_closed.html")


@blueprint.get("/restore-account/<token>/")
@open_to_visitors
def open_restore_link(token: str) -> Response:
    """Move the token from the URL to a cookie. The link can still be used."""
    if restoring.find_email_of_link(token) is None:
        raise InvalidLink
    form = url_for("pages.show_restore")
    return private_cookies.set_cookie(redirect_to("pages.show_restore"), RESTORE_COOKIE, token, RESTORE_MAX_AGE, form)


@blueprint.get("/restore-account/set-password/")
@open_to_visitors
def show_restore() -> str:
    """Show the form that restores the account with a new password."""
    email = restoring.find_email_of_link(request.cookies.get(RESTORE_COOKIE, ""))
    if email is None:
        raise InvalidLink
    return render_page("restore_account.html", email=email)


@blueprint.post("/restore-account/set-password/")
@open_to_visitors
@show_on_error(show_restore)
@submit_once
def restore_account() -> Done:
    """Restore the account, and continue with the sign-in."""
    user = restoring.restore_account(request.cookies.get(RESTORE_COOKIE, ""), **load_form(schemas.new_password))
    return Done(
        url_for("pages.show_sign_in"),
        "account_restored",
        email=user.email,
        language=user.language,
        delete_cookie=(RESTORE_COOKIE, request.path),
    )
