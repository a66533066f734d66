"""`/userapi/auth/login/passkey/`: signing in with a passkey alone."""

from typing import Any

from flask import Response

from userapi.core.db import commit_on, db
from userapi.core.problems import ValidationFailed
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa import challenges, passkey_options
from userapi.mfa.passkey_problems import InvalidPasskey, PasskeysUnavailable
from userapi.security.throttling import TooManyRequests
from userapi.users import queries as user_queries
from userapi.users import user_json

from . import cookies, credentials, passkey_sign_in, tokens
from .passkey_schemas import NothingSchema, PasskeyLoginSchema, PasskeyOptionsSchema
from .problems import CsrfFailed
from .schemas import LoginAnswerSchema

blueprint = Blueprint("passkeys", __name__, description="Passkeys: sign-in without a password.")


@blueprint.post("/login/passkey/options/")
@blueprint.open_to_all
@blueprint.arguments(NothingSchema)
@blueprint.response(200, PasskeyOptionsSchema)
@blueprint.raises(ValidationFailed, PasskeysUnavailable)
def request_passkey_login(_body: dict[str, Any]) -> Response:
    """Request options to sign in with a passkey. They are the same for everyone, except for the challenge."""
    return options_response(passkey_options.build_sign_in_options())


@blueprint.post("/login/passkey/")
@blueprint.checks_credentials_itself
@blueprint.arguments(PasskeyLoginSchema)
@blueprint.response(200, LoginAnswerSchema)
@blueprint.raises(ValidationFailed, InvalidPasskey, PasskeysUnavailable, CsrfFailed, TooManyRequests)
def login_with_passkey(login: dict[str, Any]) -> Response:
    """Sign in with a passkey. The tokens are in the response, or in cookies."""
    if login["cookies"]:
        credentials.reject_cross_site_form()
    with commit_on(InvalidPasskey):
        session = passkey_sign_in.sign_in_by_passkey(login["credential"])
    pair = tokens.issue_pair(session, web=login["cookies"])
    user = user_json.from_row(user_queries.row_in_transaction(session.user_id))
    db.session.commit()
    return (
        cookies.set_token_cookies(json_response({"user": user}), pair)
        if login["cookies"]
        else json_response({**pair, "user": user})
    )


def options_response(options: dict[str, Any]) -> Response:
    """Options for a browser, and how long they can be used."""
    return json_response({"publicKey": options, "expires_in": int(challenges.LIFETIME.total_seconds())})
