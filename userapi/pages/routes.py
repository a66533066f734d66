"""The pages: sign in and out, register, the letters' links, and one's own account."""

import uuid

from flask import Response, current_app, request, url_for
from flask_jwt_extended import current_user

from userapi.auth import cookies, gate, invitations, passwords, recovery, sessions, sign_in, tokens
from userapi.auth.problems import InvalidCredentials
from userapi.core import i18n
from userapi.core.db import db, keeping_marks
from userapi.core.devices import describe
from userapi.users import accounts, addresses, one_time
from userapi.users.one_time import INVITATION, InvalidLink
from userapi.users.problems import WrongPassword

from . import forms, guard, prefilled, redirects, schemas
from .forms import shown_again_by
from .frame import Pages, page
from .guard import open_to_visitors
from .once import Done, once

blueprint = Pages("pages", __name__)

#: Holds the token of a link that sets a password, so that it leaves the address bar and the history before the form
#: shows.
LINK_COOKIE = "reset_token"
LINK_SECONDS = 3600

#: What a browser forgets when someone signs out.
CLEAR_SITE_DATA = '"cache", "cookies", "storage"'


@blueprint.get("/")
@open_to_visitors
def show_front() -> str:
    """What is here."""
    return page("front.html")


@blueprint.get("/login/")
@open_to_visitors
def show_login() -> str:
    """The form to sign in."""
    return page("login.html", next=redirects.next_path(), email=prefilled.email())


@blueprint.post("/login/")
@open_to_visitors
@shown_again_by(show_login)
def log_in() -> Response:
    """Sign in, and go where the visitor was going."""
    typed = forms.read(schemas.credentials)
    with keeping_marks(InvalidCredentials):
        session = sign_in.sign_in(typed.get("email") or typed["username"], typed["password"])
    pair, language = tokens.pair(session, web=True), session.user.language
    db.session.commit()
    response = guard.forget_visitor(cookies.put(redirects.to_next(), pair))
    return response if i18n.chosen() else i18n.remember(response, language)


@blueprint.get("/logout/")
@open_to_visitors
def show_logout() -> str:
    """The form to sign out, or that one is signed out."""
    return page("logout.html")


@blueprint.post("/logout/")
def log_out() -> Response:
    """End this session, and let the browser forget it."""
    sessions.log_out(current_user.session_id, current_user.id, everywhere=False)
    db.session.commit()
    # The language that was chosen goes along, since the browser forgets the cookie that kept it.
    response = cookies.drop(redirects.to("pages.show_logout", lang=i18n.chosen()))
    response.headers["Clear-Site-Data"] = CLEAR_SITE_DATA
    return response


@blueprint.get("/register/")
@open_to_visitors
def show_registration() -> str:
    """The form to open an account."""
    return page("register.html")


@blueprint.post("/register/")
@open_to_visitors
@shown_again_by(show_registration)
@once
def register() -> Done:
    """Open an account, and sign in to it unless its email must be confirmed first."""
    user = accounts.register(**forms.read(schemas.new_user))
    verification = current_app.config["EMAIL_VERIFICATION"]
    if verification == "mandatory":
        return Done(url_for("pages.show_login"), "account_awaits_email", email=user.email)
    session = sign_in.begin(user)
    notice = "account_opened" if verification == "none" else "account_opened_with_email"
    return Done(url_for("pages.show_account"), notice, session_id=str(session.id), language=user.language)


@blueprint.get("/.well-known/change-password")
@open_to_visitors
def show_where_passwords_change() -> Response:
    """Where password managers find the page that changes a password."""
    return redirects.to("pages.show_password_change")


@blueprint.get("/password_change/")
def show_password_change() -> str:
    """The form to change one's password."""
    return page("password_change.html")


@blueprint.post("/password_change/")
@shown_again_by(show_password_change)
@once
def change_password() -> Done:
    """Change one's password; every other session ends."""
    change = forms.read(schemas.password_change)
    with keeping_marks(WrongPassword):
        passwords.change(current_user.id, current_user.session_id, **change)
    return Done(url_for("pages.show_password_changed"))


@blueprint.get("/password_change/done/")
def show_password_changed() -> str:
    """That the password is changed."""
    return page("password_changed.html")


@blueprint.get("/password_reset/")
@open_to_visitors
def show_password_reset() -> str:
    """The form to ask for a reset link."""
    return page("password_reset.html")


@blueprint.post("/password_reset/")
@open_to_visitors
@shown_again_by(show_password_reset)
@once
def ask_to_reset_password() -> Done:
    """Ask for a reset link; the answer is the same for every address."""
    passwords.ask_to_reset(forms.read(schemas.email)["email"])
    return Done(url_for("pages.show_password_reset_asked"))


@blueprint.get("/password_reset/done/")
@open_to_visitors
def show_password_reset_asked() -> str:
    """That a letter is on its way, if there is such an account."""
    return page("password_reset_asked.html")


@blueprint.get("/reset/<uid>/<token>/")
@open_to_visitors
def open_reset_link(uid: str, token: str) -> Response:
    """Take the token out of the address bar; nothing is spent.

    The cookie is Lax, not Strict: whoever comes from a page of webmail could not bring a strict one to the form.
    """
    if not passwords.is_good(uid, token):
        raise InvalidLink
    return _with_token(token, "pages.show_new_password", uid)


@blueprint.get("/reset/<uid>/set-password/")
@open_to_visitors
def show_new_password(uid: str) -> str:
    """The form to set a forgotten password."""
    if not passwords.is_good(uid, request.cookies.get(LINK_COOKIE, "")):
        raise InvalidLink
    return page("new_password.html")


@blueprint.post("/reset/<uid>/set-password/")
@open_to_visitors
@shown_again_by(show_new_password)
@once
def set_new_password(uid: str) -> Done:
    """Set a forgotten password; every session ends."""
    passwords.reset(uid, request.cookies.get(LINK_COOKIE, ""), **forms.read(schemas.new_password))
    return Done(url_for("pages.show_reset_done"), forgets=(LINK_COOKIE, request.path))


@blueprint.get("/reset/done/")
@open_to_visitors
def show_reset_done() -> str:
    """That the new password is set."""
    return page("reset_done.html")


@blueprint.get("/invitation/<uid>/<token>/")
@open_to_visitors
def open_invitation(uid: str, token: str) -> Response:
    """Take the token out of the address bar, as `open_reset_link` does."""
    if not passwords.is_good(uid, token, INVITATION):
        raise InvalidLink
    return _with_token(token, "pages.show_invitation", uid)


@blueprint.get("/invitation/<uid>/set-password/")
@open_to_visitors
def show_invitation(uid: str) -> str:
    """The form to set the first password."""
    if not passwords.is_good(uid, request.cookies.get(LINK_COOKIE, ""), INVITATION):
        raise InvalidLink
    return page("invitation.html")


@blueprint.post("/invitation/<uid>/set-password/")
@open_to_visitors
@shown_again_by(show_invitation)
@once
def accept_invitation(uid: str) -> Done:
    """Set the first password and sign in."""
    user = invitations.accept(uid, request.cookies.get(LINK_COOKIE, ""), **forms.read(schemas.new_password))
    session = sign_in.begin(user)
    return Done(
        url_for("pages.show_account"),
        "invitation_accepted",
        session_id=str(session.id),
        language=user.language,
        forgets=(LINK_COOKIE, request.path),
    )


def _with_token(token: str, endpoint: str, uid: str) -> Response:
    """A redirect to the form of a link, with the link's token in a cookie for that form alone."""
    response = redirects.to(endpoint, uid=uid)
    response.set_cookie(
        LINK_COOKIE,
        token,
        max_age=LINK_SECONDS,
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
    return page("verification_request.html")


@blueprint.post("/verify-email/")
@open_to_visitors
@shown_again_by(show_verification_request)
@once
def ask_for_verification() -> Done:
    """Ask for the confirming letter again; the answer is the same for every address."""
    addresses.ask_again(forms.read(schemas.email)["email"])
    return Done(url_for("pages.show_verification_asked"))


@blueprint.get("/verify-email/sent/")
@open_to_visitors
def show_verification_asked() -> str:
    """That a letter is on its way, if an account waits for it."""
    return page("verification_asked.html")


@blueprint.get("/verify-email/<token>/")
@open_to_visitors
def show_verification(token: str) -> str:
    """The button that confirms an email: programs that follow the links in emails press none."""
    email = addresses.email_of_link(token)
    if email is None:
        raise InvalidLink
    return page("verify_email.html", email=email)


@blueprint.post("/verify-email/<token>/")
@open_to_visitors
@once
def verify_email(token: str) -> Done:
    """Confirm an email, and go on to the account or to the sign-in."""
    user = addresses.confirm(token)
    if gate.cookie_caller() is not None:
        return Done(url_for("pages.show_account"), "address_confirmed")
    return Done(url_for("pages.show_login"), "address_confirmed", email=user.email)


@blueprint.get("/undo-email-change/<token>/")
@open_to_visitors
def show_email_undo(token: str) -> str:
    """The button that undoes a change of email: programs that follow the links in emails press none."""
    found = one_time.peek(token, (one_time.UNDO_EMAIL_CHANGE,))
    if found is None:
        raise InvalidLink
    return page("undo_email_change.html", email=found[0].previous_email)


@blueprint.post("/undo-email-change/<token>/")
@open_to_visitors
@shown_again_by(show_email_undo)
@once
def undo_email_change(token: str) -> Done:
    """Undo a change of email; every session ends, and a link for a new password is sent."""
    recovery.undo_email_change(token)
    return Done(url_for("pages.show_email_undone"))


@blueprint.get("/undo-email-change/done/")
@open_to_visitors
def show_email_undone() -> str:
    """That the old email is restored, and what to do next."""
    return page("email_change_undone.html")


@blueprint.get("/account/")
def show_account() -> str:
    """My account: profile, address, password, sessions."""
    return page("account.html", sessions=sessions.list_of(current_user.id), describe=describe)


@blueprint.post("/account/")
@shown_again_by(show_account)
@once
def edit_account() -> Done:
    """Change my names and profile."""
    schema = schemas.account_without_profile if current_user.profile_title is None else schemas.account
    user = accounts.hold(current_user.id, by=current_user)
    changes = forms.read(schema)
    accounts.edit(user, changes, by=current_user)
    return Done(url_for("pages.show_account"), "saved", language=changes.get("language"))


@blueprint.post("/account/email/")
@shown_again_by(show_account)
@once
def change_email() -> Done:
    """Ask for another email; it counts once the link sent there is opened."""
    change = forms.read(schemas.email_change)
    with keeping_marks(WrongPassword):
        user = passwords.prove(current_user.id, change["password"], field="password")
    addresses.ask_to_change(user, change["email"])
    return Done(url_for("pages.show_account"), "address_asked")


@blueprint.post("/account/email/resend/")
@shown_again_by(show_account)
@once
def resend_letter() -> Done:
    """Mail the link that an email waits for again."""
    addresses.send_again(accounts.hold(current_user.id, by=current_user))
    return Done(url_for("pages.show_account"), "letter_sent")


@blueprint.post("/account/sessions/<uuid:session_id>/end/")
@once
def end_session(session_id: uuid.UUID) -> Done:
    """End one session of mine."""
    sessions.end_own(session_id, current_user.id)
    return Done(url_for("pages.show_account"), "session_ended")


@blueprint.post("/account/sessions/end-others/")
@once
def end_other_sessions() -> Done:
    """End every session of mine but this one."""
    sessions.end_others(current_user.id, spare=current_user.session_id)
    return Done(url_for("pages.show_account"), "sessions_ended")
