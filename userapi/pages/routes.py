"""The pages for signing in and out, registering and passwords; others are in `account` and `links`."""

from flask import Response, current_app, request, url_for

from userapi.auth import (
    admission,
    api_keys,
    authentication,
    cookies,
    first_password,
    logout_request,
    passwords,
    proof,
    sessions,
    sign_in,
)
from userapi.auth.caller import find_caller, get_caller
from userapi.auth.problems import InvalidCredentials, SecondStepNeeded
from userapi.core import i18n
from userapi.core.db import commit_on, db
from userapi.html.redirects import next_path, redirect_to
from userapi.http.impersonating import Impersonating, mark_impersonating
from userapi.users import accounts, registration, terms
from userapi.users.declaration import get_declaration
from userapi.users.fields import ACCOUNT_PAGE_INPUTS
from userapi.users.problems import WrongPassword

from . import (
    account,
    account_data,
    api_key_pages,
    closing,
    completion,
    invitations,
    links,
    mailed_codes,
    passkeys,
    password_strength,
    prove,
    provider_accounts,
    providers,
    required_second_step,
    schemas,
    second_step,
    second_step_cookie,
    two_step,
)
from .layout import blueprint, render_page
from .page_auth import open_to_incomplete, open_to_set_up, open_to_visitors
from .remembered_email import remembered_email
from .signed_in import respond_signed_in
from .single_submission import Done, submit_once
from .submitted_forms import current_form, load_form, show_on_error

#: The modules add their pages to the blueprint when they are imported.
__all__ = [
    "account",
    "account_data",
    "api_key_pages",
    "blueprint",
    "closing",
    "completion",
    "invitations",
    "links",
    "mailed_codes",
    "passkeys",
    "password_strength",
    "prove",
    "provider_accounts",
    "providers",
    "required_second_step",
    "second_step",
    "two_step",
]

#: What a browser forgets when someone signs out.
CLEAR_SITE_DATA = '"cache", "cookies", "storage"'

#: The same if it is a remembered device, whose cookie stays; the other cookies are deleted by name.
CLEAR_ALL_BUT_COOKIES = '"cache", "storage"'


@blueprint.get("/")
@open_to_visitors
def show_front() -> str | Response:
    """Show where to sign in or register; signed-in users continue to their account."""
    return redirect_to("pages.show_account") if find_caller() else render_page("front.html")


@blueprint.get("/login/")
@open_to_visitors
def show_sign_in() -> str:
    """Show the sign-in form."""
    return render_page("login.html", next=next_path(), email=remembered_email())


@blueprint.post("/login/")
@open_to_visitors
@show_on_error(show_sign_in)
def sign_in_user() -> Response:
    """Sign in, and continue to the page that the visitor requested."""
    typed = load_form(schemas.credentials)
    email = typed.get("email") or typed["username"]
    try:
        with commit_on(InvalidCredentials, SecondStepNeeded):
            session = sign_in.sign_in(email, typed["password"], device_token=cookies.get_device_token())
    except SecondStepNeeded as needed:
        return second_step_cookie.redirect_to_second_step(needed, next_path())
    return respond_signed_in(session)


@blueprint.get("/logout/")
@open_to_visitors
def show_sign_out() -> str:
    """Show the sign-out form, or that the visitor is signed out."""
    return render_page("logout.html")


@blueprint.post("/logout/")
@mark_impersonating(Impersonating.ENDS_IT)
@open_to_incomplete
@open_to_set_up
def sign_out_user() -> Response:
    """End this session, and delete its data in the browser. With `next`, the sign-in page follows."""
    sessions.sign_out(*logout_request.find_session_to_end(get_caller()), everywhere=False)
    db.session.commit()
    # The URL names the chosen language, because the browser deletes the cookie that remembered it.
    page = "pages.show_sign_in" if next_path() else "pages.show_sign_out"
    redirect = redirect_to(page, lang=i18n.get_chosen_language(), next=next_path() or None)
    response = cookies.delete_token_cookies(redirect)
    if cookies.get_device_token() is None:
        response.headers["Clear-Site-Data"] = CLEAR_SITE_DATA
        return response
    response.headers["Clear-Site-Data"] = CLEAR_ALL_BUT_COOKIES
    for name in request.cookies.keys() - {cookies.device_cookie_name()}:
        response.delete_cookie(name)
    return response


@blueprint.get("/register/")
@open_to_visitors
def show_registration() -> str:
    """Show the first step of a registration."""
    typed = current_form(None).values
    if not registration.is_open():
        return render_page("registration_closed.html", needs_invitation=registration.are_invitations_on())
    of_second_step = (*ACCOUNT_PAGE_INPUTS, *get_declaration().labels)
    has_all_fields = any(name in typed for name in of_second_step)
    return render_page("register.html", next=next_path(), has_all_fields=has_all_fields)


@blueprint.post("/register/")
@open_to_visitors
@show_on_error(show_registration)
@submit_once
def register() -> Done:
    """Create an account and sign in, unless its email must be confirmed first; names and profile follow.

    The page that the visitor requested before comes last. Forms that were opened before there were two steps have all
    fields.
    """
    if authentication.is_signed_in_by_cookie():
        return Done(url_for("pages.show_registration"))  # says who is signed in
    typed = load_form(schemas.registration)
    user = accounts.register(**typed)
    verification = current_app.config["EMAIL_VERIFICATION"]
    if verification == "mandatory":
        path = url_for("pages.show_sign_in", next=next_path() or None)
        return Done(path, "account_created_confirm_email_first", email=user.email)
    session = admission.admit(admission.identify_new_account(user))
    notice = "account_created" if verification == "none" else "account_created_confirm_email"
    if typed.keys() <= {"email", "password", terms.ACCEPTED}:
        following = url_for("pages.open_first_profile", next=next_path() or None)
    else:
        following = next_path() or url_for("pages.show_account")
    return Done(following, notice, session_id=str(session.id), language=user.language)


@blueprint.get("/.well-known/change-password")
@open_to_visitors
def redirect_to_password_change() -> Response:
    """Redirect password managers to the page that changes a password."""
    return redirect_to("pages.show_password_change")


@blueprint.get("/password_change/")
@open_to_incomplete
@open_to_set_up
def show_password_change() -> str:
    """Show the form to change the password, or to set the first one after a recent proof."""
    proof.require_fresh_where_needed(always=not get_caller().user.has_password)
    return render_page("password_change.html")


@blueprint.post("/password_change/")
@open_to_incomplete
@open_to_set_up
@show_on_error(show_password_change)
@submit_once
def change_password() -> Done:
    """Change the password; all other sessions end."""
    change, is_first = load_form(schemas.password_change), not get_caller().user.has_password
    with commit_on(WrongPassword):
        first_password.change_password(get_caller(), **change)
    return Done(url_for("pages.show_password_changed", first=1 if is_first else None))


@blueprint.get("/password_change/done/")
@open_to_incomplete
@open_to_set_up
def show_password_changed() -> str:
    """Show that the password is changed."""
    key_count = len(api_keys.list_keys(get_caller().user.id)) if api_keys.are_on() else 0
    return render_page("password_changed.html", is_first="first" in request.args, key_count=key_count)


@blueprint.get("/password_reset/")
@open_to_visitors
def show_password_reset() -> str:
    """Show the form to request a reset link."""
    return render_page("password_reset.html")


@blueprint.post("/password_reset/")
@open_to_visitors
@show_on_error(show_password_reset)
@submit_once
def request_password_reset() -> Done:
    """Send a reset link. The response is the same for all email addresses."""
    passwords.request_reset(load_form(schemas.email)["email"])
    return Done(url_for("pages.show_password_reset_sent"))


@blueprint.get("/password_reset/done/")
@open_to_visitors
def show_password_reset_sent() -> str:
    """Show that an email was sent, if there is such an account."""
    return render_page("password_reset_sent.html")
