"""`/userapi/auth/user/close/` and `…/restore/`: close your account, and restore it."""

from typing import Any

from flask import Response
from flask_babel import gettext as _

from userapi.auth import cookies
from userapi.auth.caller import get_caller
from userapi.auth.schemas import DetailSchema, said
from userapi.core.db import commit_on, db
from userapi.core.problems import ProofNeeded, ValidationFailed
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.security.throttling import TooManyRequests
from userapi.users.email_links import InvalidLink
from userapi.users.password_policy import WeakPassword
from userapi.users.problems import EmailTaken, LastSuperuser, WrongPassword

from . import closing, restoring
from .schemas import CloseSchema, ClosingSchema, RestoreSchema

blueprint = Blueprint("closing", __name__, description="Closing your account, and restoring it.")


@blueprint.post("/user/close/")
@blueprint.jwt_required()
@blueprint.open_to_incomplete
@blueprint.arguments(CloseSchema)
@blueprint.response(202, ClosingSchema)
@blueprint.alt_response(204, description="Deleted")
@blueprint.raises(ValidationFailed, WrongPassword, ProofNeeded, LastSuperuser, TooManyRequests)
def close_own_account(body: dict[str, Any]) -> Response:
    """Close your account. It is inactive immediately, and deleted later unless you restore it.

    An account without a password, or whose second step is on, requires a recent proof. Your sessions end, your API keys
    are revoked, and a link that restores the account is sent to you. The response is 204 if the account was deleted
    immediately, because `CLOSING_DAYS` is 0.
    """
    with commit_on(WrongPassword):
        closes_at = closing.close_own_account(get_caller(), body.get("password"))
    db.session.commit()
    response = Response(status=204) if closes_at is None else json_response({"closes_at": closes_at}, 202)
    return cookies.delete_token_cookies(response)


@blueprint.post("/user/restore/")
@blueprint.open_to_all
@blueprint.arguments(RestoreSchema)
@blueprint.response(200, DetailSchema, example=said("Your account is restored. Sign in with the new password."))
@blueprint.raises(ValidationFailed, InvalidLink, WeakPassword, EmailTaken, TooManyRequests)
def restore_account(body: dict[str, str]) -> Response:
    """Restore your closed account with the link from the email, and set a new password."""
    restoring.restore_account(**body)
    db.session.commit()
    return json_response({"detail": _("Your account is restored. Sign in with the new password.")})
