"""`/userapi/auth/`: login, logout, and the caller's own account, password, email and sessions."""

import uuid
from typing import Any

from flask import Response
from flask_babel import gettext as _

from userapi.core import context
from userapi.core.db import commit_on, db
from userapi.core.problems import (
    NotAcceptable,
    NotFound,
    PreconditionFailed,
    ProofNeeded,
    SecondStepRequired,
    ValidationFailed,
)
from userapi.core.scopes import Scope
from userapi.http.endpoint_index import INDEX_SCHEMA, list_endpoints_below
from userapi.http.impersonating import Impersonating, mark_impersonating
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests
from userapi.users import email_verification, user_json
from userapi.users.editing import save, with_locked_user
from userapi.users.email_links import InvalidLink
from userapi.users.password_policy import WeakPassword
from userapi.users.problems import EmailTaken, WrongPassword
from userapi.users.schemas import OwnUserSchema, UserEditSchema, UserReplacementSchema
from userapi.users.user_values import UserValues

from . import (
    account_data,
    account_recovery,
    api_keys,
    cookies,
    credentials,
    email_changes,
    first_password,
    logout_request,
    passwords,
    sessions,
    sign_in,
)
from .caller import get_caller
from .problems import CsrfFailed, InvalidCredentials, InvalidToken, SecondStepNeeded, TokenRevoked
from .schemas import (
    DetailSchema,
    EmailChangeSchema,
    EmailSchema,
    EmailTokenSchema,
    EndedSessionsQuerySchema,
    EndedSessionsSchema,
    LoginAnswerSchema,
    LoginSchema,
    LogoutSchema,
    PasswordChangeSchema,
    PasswordResetSchema,
    SessionsSchema,
    said,
)
from .sign_in_responses import respond_signed_in

blueprint = Blueprint("auth", __name__, description="Sign-in, sessions and passwords.")


@blueprint.get("/")
@blueprint.open_to_all
@blueprint.scope()
@blueprint.response(200, INDEX_SCHEMA, example={"login": "https://accounts.example.com/userapi/auth/login/"})
@blueprint.raises(InvalidToken, NotAcceptable)
def read_auth_index() -> Response:
    """List the authentication endpoints."""
    return json_response(list_endpoints_below("/userapi/auth/", depth=3))


@blueprint.post("/login/")
@blueprint.checks_credentials_itself
@blueprint.arguments(LoginSchema)
@blueprint.response(200, LoginAnswerSchema)
@blueprint.raises(
    ValidationFailed, InvalidCredentials, SecondStepNeeded, InvalidCode, SecondStepLocked, CsrfFailed, TooManyRequests
)
def login(login: dict[str, Any]) -> Response:
    """Sign in. The tokens are in the response, or in cookies."""
    credentials.reject_cross_site_form(login)
    email = login.get("email") or login["username"]
    with commit_on(InvalidCredentials, SecondStepNeeded):
        session = sign_in.sign_in(email, login["password"], login.get("code"), credentials.find_device_token(login))
    return respond_signed_in(session, in_cookies=login["cookies"])


@blueprint.post("/logout/")
@blueprint.checks_credentials_itself
@mark_impersonating(Impersonating.ENDS_IT)
@blueprint.arguments(LogoutSchema)
@blueprint.response(200, DetailSchema, example=said("Signed out."))
@blueprint.raises(ValidationFailed, InvalidToken, TokenRevoked)
def logout(logout: dict[str, Any]) -> Response:
    """End the session of each token that is sent, or all your sessions."""
    ending = logout_request.sessions_to_end(logout.get("refresh_token"))
    if logout["all"]:
        one_of_each_user = {user_id: session_id for session_id, user_id in ending}
        ending = [(session_id, user_id) for user_id, session_id in one_of_each_user.items()]
    for session_id, user_id in ending:
        sessions.sign_out(session_id, user_id, everywhere=logout["all"])
    db.session.commit()
    return cookies.delete_token_cookies(json_response({"detail": _("Signed out.")}))


@blueprint.get("/user/")
@blueprint.jwt_required()
@blueprint.open_to_incomplete
@blueprint.open_to_set_up
@blueprint.scope(Scope.PROFILE)
@blueprint.response(200, OwnUserSchema)
def read_me() -> Response:
    """Read your account."""
    return user_json.answer(user_json.from_own_row(context.current_user()))


@blueprint.put("/user/")
@blueprint.jwt_required()
@mark_impersonating(Impersonating.WRITES)
@blueprint.scope(Scope.PROFILE_WRITE)
@blueprint.open_to_incomplete
@with_locked_user
@blueprint.arguments(UserReplacementSchema)
@blueprint.response(200, OwnUserSchema)
@blueprint.raises(ValidationFailed, EmailTaken, WrongPassword, ProofNeeded, PreconditionFailed, TooManyRequests)
def replace_me(user: UserValues, changes: dict[str, Any]) -> Response:
    """Replace your account, with all required fields except the password."""
    return save(user, changes, is_own=True)


@blueprint.patch("/user/")
@blueprint.jwt_required()
@mark_impersonating(Impersonating.WRITES)
@blueprint.scope(Scope.PROFILE_WRITE)
@blueprint.open_to_incomplete
@with_locked_user
@blueprint.arguments(UserEditSchema)
@blueprint.response(200, OwnUserSchema)
@blueprint.raises(ValidationFailed, EmailTaken, WrongPassword, ProofNeeded, PreconditionFailed, TooManyRequests)
def edit_me(user: UserValues, changes: dict[str, Any]) -> Response:
    """Update some fields of your account. Profile fields are merged."""
    return save(user, changes, is_own=True)


@blueprint.post("/password/change/")
@blueprint.jwt_required()
@blueprint.open_to_incomplete
@blueprint.open_to_set_up
@blueprint.arguments(PasswordChangeSchema)
@blueprint.response(200, DetailSchema, example=said("Password changed. Your other sessions have ended."))
@blueprint.raises(ValidationFailed, WrongPassword, WeakPassword, ProofNeeded, TooManyRequests)
def change_password(change: dict[str, str]) -> Response:
    """Change your password, or set the first one. Your other sessions end.

    A recent proof is required for the first password, and if the second step is on.
    """
    with commit_on(WrongPassword):
        first_password.change_password(get_caller(), **change)
    db.session.commit()
    return json_response({"detail": _("Password changed. Your other sessions have ended.")})


@blueprint.post("/password/reset/")
@blueprint.open_to_all
@blueprint.arguments(EmailSchema)
@blueprint.response(
    200, DetailSchema, example=said("If an active account has this email, we have sent a link to reset the password.")
)
@blueprint.raises(ValidationFailed, TooManyRequests)
def ask_to_reset_password(body: dict[str, str]) -> Response:
    """Request a password reset email. The response is the same whether or not an account exists."""
    passwords.request_reset(body["email"])
    db.session.commit()
    return json_response(
        {"detail": _("If an active account has this email, we have sent a link to reset the password.")}
    )


@blueprint.post("/password/reset/confirm/")
@blueprint.open_to_all
@blueprint.arguments(PasswordResetSchema)
@blueprint.response(200, DetailSchema, example=said("Password set. You can now sign in with it."))
@blueprint.raises(ValidationFailed, InvalidLink, WeakPassword, TooManyRequests)
def reset_password(reset: dict[str, str]) -> Response:
    """Set a new password with the link from the email. All sessions end."""
    passwords.reset_password(**reset)
    db.session.commit()
    return json_response({"detail": _("Password set. You can now sign in with it.")})


@blueprint.post("/email/verify/")
@blueprint.open_to_all
@blueprint.arguments(EmailTokenSchema)
@blueprint.response(200, DetailSchema, example=said("Email address confirmed."))
@blueprint.raises(ValidationFailed, InvalidLink, EmailTaken, TooManyRequests)
def verify_email(body: dict[str, str]) -> Response:
    """Confirm an email address with the link from the email."""
    email_verification.confirm_email(body["token"])
    db.session.commit()
    return json_response({"detail": _("Email address confirmed.")})


@blueprint.post("/email/resend/")
@blueprint.open_to_all
@blueprint.arguments(EmailSchema)
@blueprint.response(
    200,
    DetailSchema,
    example=said("If this email is waiting for confirmation, we have sent a new link."),
)
@blueprint.raises(ValidationFailed, TooManyRequests)
def resend_verification(body: dict[str, str]) -> Response:
    """Request a new confirmation email. The response is the same whether or not an account exists."""
    email_verification.resend_verification_email(body["email"])
    db.session.commit()
    return json_response({"detail": _("If this email is waiting for confirmation, we have sent a new link.")})


@blueprint.post("/email/change/")
@blueprint.jwt_required()
@blueprint.open_to_set_up
@blueprint.arguments(EmailChangeSchema)
@blueprint.response(
    202, DetailSchema, example=said("We have sent a link to the new email address. Open it to confirm the change.")
)
@blueprint.raises(ValidationFailed, WrongPassword, EmailTaken, ProofNeeded, SecondStepRequired, TooManyRequests)
def change_email(change: dict[str, str]) -> Response:
    """Request a change of your email, with the password or a recent proof. It takes effect when you confirm it.

    A session that can only set up a second step may replace an address that was never confirmed.
    """
    with commit_on(WrongPassword):
        is_sent = email_changes.request_email_change(get_caller(), change["email"], change.get("password"))
    db.session.commit()
    if not is_sent:
        return json_response(
            {"detail": _("This is already your email address, so no link was sent. No email change is pending.")}, 202
        )
    return json_response(
        {"detail": _("We have sent a link to the new email address. Open it to confirm the change.")}, 202
    )


@blueprint.post("/email/undo/")
@blueprint.open_to_all
@blueprint.arguments(EmailTokenSchema)
@blueprint.response(200, DetailSchema, example=said("Email restored. We have sent you a link to set a new password."))
@blueprint.raises(ValidationFailed, InvalidLink, EmailTaken, TooManyRequests)
def undo_email_change(body: dict[str, str]) -> Response:
    """Undo a change of email with the link sent to the old email. Sessions, password and second factors are removed."""
    account_recovery.undo_email_change(body["token"])
    db.session.commit()
    return json_response({"detail": _("Email restored. We have sent you a link to set a new password.")})


@blueprint.get("/sessions/")
@blueprint.jwt_required()
@blueprint.response(200, SessionsSchema)
@blueprint.leads_to(200, "end_session", parameters={"session_id": "$response.body#/results/0/id"})
def list_sessions() -> Response:
    """List your active sessions, most recently used first."""
    return json_response({"results": account_data.list_sessions(get_caller())})


@blueprint.delete("/sessions/")
@blueprint.jwt_required()
@blueprint.arguments(EndedSessionsQuerySchema, location="query")
@blueprint.arguments(EndedSessionsSchema)
@blueprint.response(204)
@blueprint.raises(ValidationFailed)
def end_other_sessions(query: dict[str, bool], body: dict[str, bool]) -> Response:
    """End all your sessions except this one, and revoke your API keys if you want."""
    caller = get_caller()
    sessions.end_other_sessions(caller.user.id, spare=caller.session_id)
    if query["keys"] or body["keys"]:
        api_keys.revoke_all(caller.user.id)
    db.session.commit()
    return Response(status=204)


@blueprint.delete("/sessions/<uuid:session_id>/")
@blueprint.jwt_required()
@blueprint.response(204)
@blueprint.raises(NotFound)
def end_session(session_id: uuid.UUID) -> Response:
    """End one of your sessions."""
    sessions.end_own_session(session_id, get_caller().user.id)
    db.session.commit()
    return Response(status=204)
