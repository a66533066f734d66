"""`/userapi/auth/`: login, logout, and the caller's own account, password, email and sessions."""

import uuid
from typing import Any

from flask import Response
from flask_babel import gettext as _

from userapi.core.db import commit_on, db
from userapi.core.problems import NotAcceptable, NotFound, PreconditionFailed, ProofNeeded, ValidationFailed
from userapi.http.endpoint_index import INDEX_SCHEMA, list_endpoints_below
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests
from userapi.users import email_verification, user_json
from userapi.users import queries as user_queries
from userapi.users.editing import save, with_locked_user
from userapi.users.email_links import InvalidLink
from userapi.users.models import User
from userapi.users.password_policy import WeakPassword
from userapi.users.problems import EmailTaken, WrongPassword
from userapi.users.schemas import UserEditSchema, UserReplacementSchema, UserSchema

from . import (
    account_data,
    account_recovery,
    cookies,
    credentials,
    invitations,
    logout_request,
    passwords,
    proof,
    sessions,
    sign_in,
    tokens,
)
from .caller import get_caller
from .problems import CsrfFailed, InvalidCredentials, InvalidToken, SecondStepNeeded, TokenRevoked
from .schemas import (
    DetailSchema,
    EmailChangeSchema,
    EmailSchema,
    EmailTokenSchema,
    LoginAnswerSchema,
    LoginSchema,
    LogoutSchema,
    PasswordChangeSchema,
    PasswordResetSchema,
    SessionsSchema,
    said,
)

blueprint = Blueprint("auth", __name__, description="Sign-in, sessions and passwords.")


@blueprint.get("/")
@blueprint.open_to_all
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
    if login["cookies"]:
        credentials.reject_cross_site_form()
    device_token = login.get("device_token") or (cookies.get_device_token() if login["cookies"] else None)
    with commit_on(InvalidCredentials, SecondStepNeeded):
        session = sign_in.sign_in(
            login.get("email") or login["username"], login["password"], login.get("code"), device_token
        )
    pair = tokens.issue_pair(session, web=login["cookies"])
    user = user_json.from_row(user_queries.row_in_transaction(session.user_id))
    db.session.commit()
    return (
        cookies.set_token_cookies(json_response({"user": user}), pair)
        if login["cookies"]
        else json_response({**pair, "user": user})
    )


@blueprint.post("/logout/")
@blueprint.checks_credentials_itself
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
@blueprint.open_to_set_up
@blueprint.response(200, UserSchema)
def read_me() -> Response:
    """Read your account."""
    return user_json.answer(user_json.from_row(get_caller().user))


@blueprint.put("/user/")
@blueprint.jwt_required()
@with_locked_user
@blueprint.arguments(UserReplacementSchema)
@blueprint.response(200, UserSchema)
@blueprint.raises(ValidationFailed, EmailTaken, WrongPassword, PreconditionFailed, TooManyRequests)
def replace_me(user: User, changes: dict[str, Any]) -> Response:
    """Replace your account, with all required fields except the password."""
    return save(user, changes)


@blueprint.patch("/user/")
@blueprint.jwt_required()
@with_locked_user
@blueprint.arguments(UserEditSchema)
@blueprint.response(200, UserSchema)
@blueprint.raises(ValidationFailed, EmailTaken, WrongPassword, PreconditionFailed, TooManyRequests)
def edit_me(user: User, changes: dict[str, Any]) -> Response:
    """Update some fields of your account. Profile fields are merged."""
    return save(user, changes)


@blueprint.post("/password/change/")
@blueprint.jwt_required()
@blueprint.open_to_set_up
@blueprint.arguments(PasswordChangeSchema)
@blueprint.response(200, DetailSchema, example=said("Password changed. Your other sessions have ended."))
@blueprint.raises(ValidationFailed, WrongPassword, WeakPassword, TooManyRequests)
def change_password(change: dict[str, str]) -> Response:
    """Change your password. Your other sessions end."""
    caller = get_caller()
    with commit_on(WrongPassword):
        passwords.change_password(caller.user.id, caller.session_id, **change)
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


@blueprint.post("/invitation/accept/")
@blueprint.open_to_all
@blueprint.arguments(PasswordResetSchema)
@blueprint.response(200, DetailSchema, example=said("Password set. You can now sign in with it."))
@blueprint.raises(ValidationFailed, InvalidLink, WeakPassword, TooManyRequests)
def accept_invitation(acceptance: dict[str, str]) -> Response:
    """Accept an invitation: set the first password of the account, which also confirms the email."""
    invitations.accept_invitation(**acceptance)
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
@blueprint.arguments(EmailChangeSchema)
@blueprint.response(
    202, DetailSchema, example=said("We have sent a link to the new email address. Open it to confirm the change.")
)
@blueprint.raises(ValidationFailed, WrongPassword, EmailTaken, ProofNeeded, TooManyRequests)
def change_email(change: dict[str, str]) -> Response:
    """Request a change of your email, with the password or a recent proof. It takes effect when you confirm it."""
    with commit_on(WrongPassword):
        user = proof.lock_after_proof(get_caller(), change.get("password"))
    is_sent = email_verification.request_email_change(user, change["email"])
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
@blueprint.response(204)
def end_other_sessions() -> Response:
    """End all your sessions except this one."""
    caller = get_caller()
    sessions.end_other_sessions(caller.user.id, spare=caller.session_id)
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
