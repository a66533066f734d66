"""The pages: sign in and out, register, and one's own account; those that emails link to are in `links`."""

import uuid

from flask import Response, current_app, url_for

from userapi.auth import cookies, passwords, sessions, sign_in, tokens
from userapi.auth.caller import get_caller
from userapi.auth.problems import InvalidCredentials
from userapi.core import i18n
from userapi.core.db import commit_on, db
from userapi.http.user_agents import describe
from userapi.users import account_edits, accounts, email_verification
from userapi.users.problems import WrongPassword

from . import forms, links, page_auth, prefilled, redirects, schemas
from .forms import shown_again_by
from .layout import blueprint, page
from .page_auth import open_to_visitors
from .single_submission import Done, once

#: `links` adds its pages to the blueprint when it is imported.
__all__ = ["blueprint", "links"]

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
    with commit_on(InvalidCredentials):
        session = sign_in.sign_in(typed.get("email") or typed["username"], typed["password"])
    pair, language = tokens.issue_pair(session, web=True), session.user.language
    db.session.commit()
    response = page_auth.forget_visitor(cookies.set_token_cookies(redirects.to_next(), pair))
    return response if i18n.chosen() else i18n.remember(response, language)


@blueprint.get("/logout/")
@open_to_visitors
def show_logout() -> str:
    """The form to sign out, or that one is signed out."""
    return page("logout.html")


@blueprint.post("/logout/")
def log_out() -> Response:
    """End this session, and let the browser forget it."""
    caller = get_caller()
    sessions.sign_out(caller.session_id, caller.user.id, everywhere=False)
    db.session.commit()
    # The language that was chosen goes along, since the browser forgets the cookie that kept it.
    response = cookies.delete_token_cookies(redirects.to("pages.show_logout", lang=i18n.chosen()))
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
    session = sign_in.begin_session_of(user)
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
    caller = get_caller()
    with commit_on(WrongPassword):
        passwords.change_password(caller.user.id, caller.session_id, **change)
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
    passwords.request_reset(forms.read(schemas.email)["email"])
    return Done(url_for("pages.show_password_reset_asked"))


@blueprint.get("/password_reset/done/")
@open_to_visitors
def show_password_reset_asked() -> str:
    """That a letter is on its way, if there is such an account."""
    return page("password_reset_asked.html")


@blueprint.get("/account/")
def show_account() -> str:
    """My account: profile, address, password, sessions."""
    return page("account.html", sessions=sessions.list_sessions(get_caller().user.id), describe=describe)


@blueprint.post("/account/")
@shown_again_by(show_account)
@once
def edit_account() -> Done:
    """Change my names and profile."""
    me = get_caller().user
    schema = schemas.account_without_profile if me.profile_title is None else schemas.account
    user = accounts.lock(me.id, by=me)
    changes = forms.read(schema)
    account_edits.edit(user, changes, by=me)
    return Done(url_for("pages.show_account"), "saved", language=changes.get("language"))


@blueprint.post("/account/email/")
@shown_again_by(show_account)
@once
def change_email() -> Done:
    """Ask for another email; it counts once the link sent there is opened."""
    change = forms.read(schemas.email_change)
    with commit_on(WrongPassword):
        user = passwords.check_and_lock(get_caller().user.id, change["password"], field="password")
    is_sent = email_verification.ask_to_change(user, change["email"])
    return Done(url_for("pages.show_account"), "address_asked" if is_sent else "own_email")


@blueprint.post("/account/email/resend/")
@shown_again_by(show_account)
@once
def resend_letter() -> Done:
    """Mail the link that an email waits for again."""
    me = get_caller().user
    email_verification.send_again(accounts.lock(me.id, by=me))
    return Done(url_for("pages.show_account"), "letter_sent")


@blueprint.post("/account/sessions/<uuid:session_id>/end/")
@once
def end_session(session_id: uuid.UUID) -> Done:
    """End one session of mine."""
    sessions.end_own_session(session_id, get_caller().user.id)
    return Done(url_for("pages.show_account"), "session_ended")


@blueprint.post("/account/sessions/end-others/")
@once
def end_other_sessions() -> Done:
    """End every session of mine but this one."""
    caller = get_caller()
    sessions.end_other_sessions(caller.user.id, spare=caller.session_id)
    return Done(url_for("pages.show_account"), "sessions_ended")
