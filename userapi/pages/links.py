"""The pages that links in emails open: password reset, email confirmation, undoing an email change."""

from flask import Response, request, url_for

from userapi.auth import account_recovery, authentication, passwords
from userapi.core import private_cookies
from userapi.html.redirects import redirect_to
from userapi.users import email_links, email_verification
from userapi.users.email_links import InvalidLink

from . import schemas
from .layout import blueprint, render_page
from .page_auth import open_to_visitors
from .single_submission import Done, submit_once
from .submitted_forms import load_form, show_on_error

#: Holds the token of a link that sets a password, so that it is in no URL when the form is shown.
LINK_COOKIE = "reset_token"
LINK_MAX_AGE = 3600


@blueprint.get("/reset/<uid>/<token>/")
@open_to_visitors
def open_reset_link(uid: str, token: str) -> Response:
    """Move the token from the URL to a cookie. The link can still be used.

    The cookie is Lax, because browsers would not send a Strict one after a click in a webmail page.
    """
    if not passwords.is_link_valid(uid, token):
        raise InvalidLink
    return _redirect_with_token(token, "pages.show_new_password", uid)


@blueprint.get("/reset/<uid>/set-password/")
@open_to_visitors
def show_new_password(uid: str) -> str:
    """Show the form to set a new password."""
    if not passwords.is_link_valid(uid, request.cookies.get(LINK_COOKIE, "")):
        raise InvalidLink
    return render_page("new_password.html")


@blueprint.post("/reset/<uid>/set-password/")
@open_to_visitors
@show_on_error(show_new_password)
@submit_once
def set_new_password(uid: str) -> Done:
    """Set a new password; all sessions end."""
    passwords.reset_password(uid, request.cookies.get(LINK_COOKIE, ""), **load_form(schemas.new_password))
    return Done(url_for("pages.show_reset_done"), delete_cookie=(LINK_COOKIE, request.path))


@blueprint.get("/reset/done/")
@open_to_visitors
def show_reset_done() -> str:
    """Show that the new password is set."""
    return render_page("reset_done.html")


@blueprint.get("/invitation/<uid>/<token>/")
@open_to_visitors
def open_old_invitation(uid: str, token: str) -> Response:
    """Continue with the form for a new password: such links were sent before version 0038 of the database."""
    return redirect_to("pages.open_reset_link", uid=uid, token=token)


def _redirect_with_token(token: str, endpoint: str, uid: str) -> Response:
    """Redirect to the form of a link, with its token in a cookie that only that form gets."""
    response = redirect_to(endpoint, uid=uid)
    return private_cookies.set_cookie(response, LINK_COOKIE, token, LINK_MAX_AGE, url_for(endpoint, uid=uid))


@blueprint.get("/verify-email/")
@open_to_visitors
def show_verification_request() -> str:
    """Show the form to request another confirmation email."""
    return render_page("verification_request.html")


@blueprint.post("/verify-email/")
@open_to_visitors
@show_on_error(show_verification_request)
@submit_once
def request_verification() -> Done:
    """Send another confirmation email. The response is the same for all email addresses."""
    email_verification.resend_verification_email(load_form(schemas.email)["email"])
    return Done(url_for("pages.show_verification_sent"))


@blueprint.get("/verify-email/sent/")
@open_to_visitors
def show_verification_sent() -> str:
    """Show that an email was sent, if there is an unconfirmed account."""
    return render_page("verification_sent.html")


@blueprint.get("/verify-email/<token>/")
@open_to_visitors
def show_verification(token: str) -> str:
    """Show a button that confirms the email: mail scanners open links but press no buttons."""
    email = email_verification.find_email_of_link(token)
    if email is None:
        raise InvalidLink
    return render_page("verify_email.html", email=email)


@blueprint.post("/verify-email/<token>/")
@open_to_visitors
@submit_once
def verify_email(token: str) -> Done:
    """Confirm an email, and continue with the account or the sign-in."""
    user = email_verification.confirm_email(token)
    if authentication.is_signed_in_by_cookie():
        return Done(url_for("pages.show_security"), "email_confirmed")
    return Done(url_for("pages.show_sign_in"), "email_confirmed", email=user.email)


@blueprint.get("/undo-email-change/<token>/")
@open_to_visitors
def show_email_undo(token: str) -> str:
    """Show a button that undoes an email change: mail scanners open links but press no buttons."""
    found = email_links.find_valid_token(token, (email_links.UNDO_EMAIL_CHANGE,))
    if found is None:
        raise InvalidLink
    return render_page("undo_email_change.html", email=found[0].previous_email)


@blueprint.post("/undo-email-change/<token>/")
@open_to_visitors
@show_on_error(show_email_undo)
@submit_once
def undo_email_change(token: str) -> Done:
    """Undo an email change; all sessions end, and a reset link is sent."""
    account_recovery.undo_email_change(token)
    return Done(url_for("pages.show_email_undone"))


@blueprint.get("/undo-email-change/done/")
@open_to_visitors
def show_email_undone() -> str:
    """Show that the old email is restored, and what to do next."""
    return render_page("email_change_undone.html")
