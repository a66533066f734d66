"""The pages that links in emails lead to: a new password, an invitation, a confirmed email, an undone change."""

from flask import Response, current_app, request, url_for

from userapi.auth import account_recovery, authentication, invitations, passwords, sign_in
from userapi.html.redirects import redirect_to
from userapi.users import email_links, email_verification
from userapi.users.email_links import INVITATION, InvalidLink

from . import schemas
from .layout import blueprint, render_page
from .page_auth import open_to_visitors
from .single_submission import Done, submit_once
from .submitted_forms import load_form, show_on_error

#: Holds the token of a link that sets a password, so that it leaves the address bar and the history before the form
#: shows.
LINK_COOKIE = "reset_token"
LINK_MAX_AGE = 3600


@blueprint.get("/reset/<uid>/<token>/")
@open_to_visitors
def open_reset_link(uid: str, token: str) -> Response:
    """Take the token out of the address bar; nothing is spent.

    The cookie is Lax, not Strict: whoever comes from a page of webmail could not bring a strict one to the form.
    """
    if not passwords.is_link_valid(uid, token):
        raise InvalidLink
    return _redirect_with_token(token, "pages.show_new_password", uid)


@blueprint.get("/reset/<uid>/set-password/")
@open_to_visitors
def show_new_password(uid: str) -> str:
    """The form to set a forgotten password."""
    if not passwords.is_link_valid(uid, request.cookies.get(LINK_COOKIE, "")):
        raise InvalidLink
    return render_page("new_password.html")


@blueprint.post("/reset/<uid>/set-password/")
@open_to_visitors
@show_on_error(show_new_password)
@submit_once
def set_new_password(uid: str) -> Done:
    """Set a forgotten password; every session ends."""
    passwords.reset_password(uid, request.cookies.get(LINK_COOKIE, ""), **load_form(schemas.new_password))
    return Done(url_for("pages.show_reset_done"), delete_cookie=(LINK_COOKIE, request.path))


@blueprint.get("/reset/done/")
@open_to_visitors
def show_reset_done() -> str:
    """That the new password is set."""
    return render_page("reset_done.html")


@blueprint.get("/invitation/<uid>/<token>/")
@open_to_visitors
def open_invitation(uid: str, token: str) -> Response:
    """Take the token out of the address bar, as `open_reset_link` does."""
    if not passwords.is_link_valid(uid, token, INVITATION):
        raise InvalidLink
    return _redirect_with_token(token, "pages.show_invitation", uid)


@blueprint.get("/invitation/<uid>/set-password/")
@open_to_visitors
def show_invitation(uid: str) -> str:
    """The form to set the first password."""
    if not passwords.is_link_valid(uid, request.cookies.get(LINK_COOKIE, ""), INVITATION):
        raise InvalidLink
    return render_page("invitation.html")


@blueprint.post("/invitation/<uid>/set-password/")
@open_to_visitors
@show_on_error(show_invitation)
@submit_once
def accept_invitation(uid: str) -> Done:
    """Set the first password and sign in."""
    user = invitations.accept_invitation(uid, request.cookies.get(LINK_COOKIE, ""), **load_form(schemas.new_password))
    session = sign_in.begin_session_of(user)
    return Done(
        url_for("pages.show_account"),
        "invitation_accepted",
        session_id=str(session.id),
        language=user.language,
        delete_cookie=(LINK_COOKIE, request.path),
    )


def _redirect_with_token(token: str, endpoint: str, uid: str) -> Response:
    """A redirect to the form of a link, with the link's token in a cookie for that form alone."""
    response = redirect_to(endpoint, uid=uid)
    response.set_cookie(
        LINK_COOKIE,
        token,
        max_age=LINK_MAX_AGE,
        path=url_for(endpoint, uid=uid),
        httponly=True,
        secure=current_app.config["JWT_COOKIE_SECURE"],
        samesite="Lax",
    )
    return response


@blueprint.get("/verify-email/")
@open_to_visitors
def show_verification_request() -> str:
    """The form to ask for the confirming letter again."""
    return render_page("verification_request.html")


@blueprint.post("/verify-email/")
@open_to_visitors
@show_on_error(show_verification_request)
@submit_once
def request_verification() -> Done:
    """Ask for the confirming letter again; the answer is the same for every address."""
    email_verification.resend_verification_email(load_form(schemas.email)["email"])
    return Done(url_for("pages.show_verification_sent"))


@blueprint.get("/verify-email/sent/")
@open_to_visitors
def show_verification_sent() -> str:
    """That a letter is on its way, if an account waits for it."""
    return render_page("verification_sent.html")


@blueprint.get("/verify-email/<token>/")
@open_to_visitors
def show_verification(token: str) -> str:
    """The button that confirms an email: programs that follow the links in emails press none."""
    email = email_verification.find_email_of_link(token)
    if email is None:
        raise InvalidLink
    return render_page("verify_email.html", email=email)


@blueprint.post("/verify-email/<token>/")
@open_to_visitors
@submit_once
def verify_email(token: str) -> Done:
    """Confirm an email, and go on to the account or to the sign-in."""
    user = email_verification.confirm_email(token)
    if authentication.is_signed_in_by_cookie():
        return Done(url_for("pages.show_account"), "email_confirmed")
    return Done(url_for("pages.show_login"), "email_confirmed", email=user.email)


@blueprint.get("/undo-email-change/<token>/")
@open_to_visitors
def show_email_undo(token: str) -> str:
    """The button that undoes a change of email: programs that follow the links in emails press none."""
    found = email_links.find_valid_token(token, (email_links.UNDO_EMAIL_CHANGE,))
    if found is None:
        raise InvalidLink
    return render_page("undo_email_change.html", email=found[0].previous_email)


@blueprint.post("/undo-email-change/<token>/")
@open_to_visitors
@show_on_error(show_email_undo)
@submit_once
def undo_email_change(token: str) -> Done:
    """Undo a change of email; every session ends, and a link for a new password is sent."""
    account_recovery.undo_email_change(token)
    return Done(url_for("pages.show_email_undone"))


@blueprint.get("/undo-email-change/done/")
@open_to_visitors
def show_email_undone() -> str:
    """That the old email is restored, and what to do next."""
    return render_page("email_change_undone.html")
