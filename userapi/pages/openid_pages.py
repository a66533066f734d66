"""`/oauth/…` for browsers: signing in to a client, allowing what it requests, devices, and signing out.

The last step to another site after a form is a page that continues there by itself; a redirect after a form would be
blocked by browsers (decision 0070). Where no form came before, it is a redirect.
"""

from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Response, make_response, request, url_for

from userapi.auth import cookies, logout_request, sessions
from userapi.auth.caller import Caller, find_caller, get_caller
from userapi.core import i18n
from userapi.core.db import db, expect_writes
from userapi.core.problems import ReadOnlySession
from userapi.html.redirects import redirect_to, see_other
from userapi.http import headers
from userapi.openid import authorization_requests, authorizations, devices, protocol, scopes, sign_out
from userapi.openid.authorization_requests import Answer, AuthorizationRequest, SentBack
from userapi.openid.authorizations import Waiting
from userapi.openid.problems import BadClientRequest, OAuthError
from userapi.users import missing_fields

from .hop import hop_to
from .layout import Pages, render_page
from .page_auth import open_to_incomplete, open_to_set_up, open_to_visitors, without_form_token
from .remembered_email import remember_email

blueprint = Pages("openid_pages", __name__)

#: The longest query of a request that came as a form.
MAX_QUERY = 8000


@blueprint.get("/oauth/authorize/")
@open_to_visitors
def authorize() -> Response:
    """Send the browser back with a code, or let the user sign in and allow what the client requests first."""
    expect_writes()
    parameters = _read_parameters()
    client = authorization_requests.find_client(parameters.get("client_id", ""))
    try:
        found = _read_request(client, parameters)
        response = _answer_or_ask(client, found)
    except SentBack as error:
        db.session.rollback()
        return _send_back(error.answer)
    db.session.commit()
    return response


@blueprint.post("/oauth/authorize/")
@open_to_visitors
@without_form_token
def authorize_by_form() -> Response:
    """The same for a client that sends a form; the cookies of the browser come with the redirect only."""
    return _redirect_with_form("openid_pages.authorize")


def _redirect_with_form(endpoint: str) -> Response:
    query = urlencode(list(request.form.items(multi=True)))
    if len(query) > MAX_QUERY:
        raise BadClientRequest
    return see_other(f"{url_for(endpoint)}?{query}")


@blueprint.get("/oauth/consent/<handle>/")
def show_consent(handle: str) -> Response:
    """Ask the user to allow what a client requests, unless that is not needed any more."""
    expect_writes()
    caller = _get_user()
    waiting = authorizations.find_waiting(handle, caller.user.id)
    if authorizations.needs_proof(caller, waiting.request, waiting.began):
        db.session.commit()
        return redirect_to("pages.show_proof", next=request.path, again=1)
    wanted = authorizations.list_new_scopes(caller, waiting.client, waiting.request)
    is_other_user = authorizations.needs_other_user(caller, waiting.request)
    if not wanted and not is_other_user and "select_account" not in waiting.request.prompts:
        answer = authorizations.allow(waiting, caller)
        db.session.commit()
        return _continue_to(answer)
    db.session.commit()
    context = {"waiting": waiting, "wanted": wanted, "texts": scopes.TEXTS, "is_other_user": is_other_user}
    return make_response(render_page("consent.html", host=_host(waiting.request.redirect_uri), **context))


@blueprint.post("/oauth/consent/<handle>/")
def answer_consent(handle: str) -> Response:
    """Send the browser back with a code, or with the error that the user does not allow the request."""
    caller = _get_user()
    waiting = authorizations.find_submitted(handle, caller.user.id)
    if "deny" in request.form:
        answer = authorizations.deny(waiting, caller)
    else:
        _require_answerable(caller, waiting)
        answer = authorizations.allow(waiting, caller)
    db.session.commit()
    return _continue_to(answer)


@blueprint.post("/oauth/consent/<handle>/switch/")
def switch_user(handle: str) -> Response:
    """Sign out, so that another user can sign in and answer the same request."""
    caller = _get_user()
    authorizations.release(handle, caller.user.id)
    sessions.sign_out(*logout_request.find_session_to_end(caller), everywhere=False)
    db.session.commit()
    following = url_for("openid_pages.show_consent", handle=handle)
    return cookies.delete_token_cookies(redirect_to("pages.show_sign_in", next=following))


def _read_parameters() -> dict[str, str]:
    try:
        return protocol.read_parameters(request.args)
    except OAuthError as error:
        raise BadClientRequest from error


def _read_request(client: Any, parameters: dict[str, str]) -> AuthorizationRequest:
    request_uri = parameters.get("request_uri")
    if request_uri is not None and request_uri.startswith(authorization_requests.PUSHED):
        if parameters.keys() - {"client_id", "request_uri"}:
            raise BadClientRequest
        return authorizations.take_pushed(client, request_uri)
    found = authorization_requests.read(client, parameters)
    if client.requires_par:
        raise authorization_requests.error_to(found, client, "invalid_request", "Push the request first (RFC 9126).")
    return found


def _answer_or_ask(client: Any, found: AuthorizationRequest) -> Response:
    caller = find_caller()
    if caller is not None and caller.impersonation is not None:
        if "none" in found.prompts:
            raise authorization_requests.error_to(found, client, "interaction_required")
        raise ReadOnlySession
    missing = _find_missing(caller, client, found)
    if caller is not None and missing is None:
        return _send_back(authorizations.answer_immediately(caller, client, found))
    if "none" in found.prompts:
        raise authorization_requests.error_to(found, client, missing or "interaction_required")
    handle = authorizations.begin(found)
    following = url_for("openid_pages.show_consent", handle=handle)
    if caller is not None:
        return see_other(following)
    response = redirect_to("pages.show_sign_in", next=following, lang=found.language)
    return remember_email(response, found.login_hint) if found.login_hint else response


def _find_missing(caller: Caller | None, client: Any, found: AuthorizationRequest) -> str | None:
    """What keeps a request from being answered immediately, as the error for `prompt=none`; None if nothing."""
    if caller is None or authorizations.needs_other_user(caller, found):
        return "login_required"
    if authorizations.needs_proof_now(caller, found):
        return "login_required"
    if caller.is_for_set_up or missing_fields.list_mandatory(caller.user):
        return "interaction_required"
    if authorizations.list_new_scopes(caller, client, found):
        return "consent_required"
    return "account_selection_required" if "select_account" in found.prompts else None


def _require_answerable(caller: Caller, waiting: Waiting) -> None:
    """Check again what the page that showed the form has checked; the form could have been made up."""
    if authorizations.needs_proof(caller, waiting.request, waiting.began):
        raise BadClientRequest
    if authorizations.needs_other_user(caller, waiting.request):
        raise BadClientRequest


def _get_user() -> Caller:
    caller = get_caller()
    if caller.impersonation is not None:
        raise ReadOnlySession
    return caller


def _send_back(answer: Answer) -> Response:
    """Redirect to the client, where no form came before."""
    protocol.count_answer("authorize", answer.parameters.get("error"))
    if answer.response_mode == "form_post":
        return _post_to(answer)
    response = see_other(answer.url)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _continue_to(answer: Answer) -> Response:
    """Continue to the client after a form."""
    protocol.count_answer("authorize", answer.parameters.get("error"))
    if answer.response_mode == "form_post":
        return _post_to(answer)
    return hop_to(answer.url, answer.client_name)


def _post_to(answer: Answer) -> Response:
    """A form for the client that submits itself, or by its button (OAuth 2.0 Form Post Response Mode)."""
    response = make_response(render_page("form_post.html", answer=answer))
    parts = urlsplit(answer.redirect_uri)
    # A policy can name neither an IPv6 address nor what follows the scheme of an app.
    target = f"{parts.scheme}:" if not parts.netloc or "[" in parts.netloc else f"{parts.scheme}://{parts.netloc}"
    policy = headers.PAGE_POLICY.format(nonce=headers.get_csp_nonce())
    response.headers["Content-Security-Policy"] = policy.replace("form-action 'self'", f"form-action {target}")
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _host(url: str) -> str:
    """What users recognize a redirect URI by: its host, or the scheme of an app."""
    parts = urlsplit(url)
    return parts.netloc or parts.scheme


# Devices


@blueprint.get("/device/")
def show_device_code() -> str:
    """Show the field for the code of a device."""
    return render_page("device_code.html", typed=request.args.get("user_code", "")[:20])


@blueprint.post("/device/")
def open_device() -> Response:
    """Continue with the device that waits with a code."""
    typed = devices.normalize(request.form.get("user_code", ""))
    return redirect_to("openid_pages.show_device", user_code=devices.show(typed) if typed else "-")


@blueprint.get("/device/<user_code>/")
def show_device(user_code: str) -> str:
    """Ask the user whether a device may sign in; nothing happens before the button is pressed."""
    device, client = devices.find(_get_user(), user_code)
    wanted = scopes.split(device.scopes)
    return render_page("device.html", device=device, client=client, wanted=wanted, texts=scopes.TEXTS)


@blueprint.post("/device/<user_code>/")
def answer_device(user_code: str) -> Response:
    """Let a device sign in, or not."""
    caller = _get_user()
    device, client = devices.find(caller, user_code)
    is_denied = "deny" in request.form
    (devices.deny if is_denied else devices.approve)(caller, device, client)
    db.session.commit()
    return redirect_to("openid_pages.show_device_answered", denied=1 if is_denied else None)


@blueprint.get("/device/done/")
def show_device_answered() -> str:
    """Show that the user can continue on the device."""
    return render_page("device_answered.html", is_denied="denied" in request.args)


# Signing out


@blueprint.get("/oauth/logout/")
@open_to_visitors
@open_to_set_up
@open_to_incomplete
def show_client_sign_out() -> Response:
    """Ask whether to sign out, as a client requests it; a client of the operator may do it for its own session."""
    expect_writes()
    found, caller = sign_out.read(_read_parameters()), find_caller()
    if caller is None or caller.impersonation is not None:
        return _leave(found, is_signed_out=caller is None)
    if found.is_proved_for(caller):
        return _sign_out(caller, found, is_redirect=True)
    return make_response(render_page("client_logout.html", found=found))


@blueprint.post("/oauth/logout/")
@open_to_visitors
@without_form_token
def sign_out_of_client() -> Response:
    """Continue a request that a client has sent as a form; the button of the page has a path of its own."""
    return _redirect_with_form("openid_pages.show_client_sign_out")


@blueprint.post("/oauth/logout/confirm/")
@open_to_incomplete
@open_to_set_up
def confirm_sign_out() -> Response:
    """Sign out, and continue to the client."""
    sent = {name: value for name, value in request.form.items() if name in sign_out.PARAMETERS and value}
    return _sign_out(_get_user(), sign_out.read(sent), is_redirect=False)


def _sign_out(caller: Caller, found: sign_out.SignOutRequest, *, is_redirect: bool) -> Response:
    sessions.sign_out(*logout_request.find_session_to_end(caller), everywhere=False)
    db.session.commit()
    response = _leave(found, is_signed_out=True) if is_redirect else _leave_by_page(found)
    return cookies.delete_token_cookies(response)


def _leave(found: sign_out.SignOutRequest, *, is_signed_out: bool) -> Response:
    if found.url is not None and is_signed_out:
        return see_other(found.url)
    return redirect_to("pages.show_sign_out", lang=i18n.get_chosen_language())


def _leave_by_page(found: sign_out.SignOutRequest) -> Response:
    if found.url is None:
        return redirect_to("pages.show_sign_out", lang=i18n.get_chosen_language())
    return hop_to(found.url, found.client_name)
