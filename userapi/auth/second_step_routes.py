"""`/userapi/auth/login/second-step/`: the second step of a sign-in."""

from typing import Any

from flask import Response

from userapi.core.db import commit_on, db
from userapi.core.problems import ValidationFailed
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa.passkey_problems import InvalidPasskey, NoPasskey
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests
from userapi.users import queries as user_queries
from userapi.users import user_json

from . import admission, cookies, credentials, second_step, tokens
from .passkey_json import options_response
from .passkey_schemas import PasskeyOptionsSchema
from .problems import CsrfFailed, MfaTokenInvalid
from .schemas import LoginAnswerSchema
from .second_step_schemas import MfaTokenSchema, SecondStepSchema

blueprint = Blueprint("second_step", __name__, description="The second step of a sign-in.")


@blueprint.post("/login/second-step/options/")
@blueprint.checks_credentials_itself
@blueprint.arguments(MfaTokenSchema)
@blueprint.response(200, PasskeyOptionsSchema)
@blueprint.raises(ValidationFailed, MfaTokenInvalid, NoPasskey)
def request_second_step_options(sent: dict[str, str]) -> Response:
    """Request options to use a passkey as the second step."""
    return options_response(second_step.build_passkey_options(second_step.find(sent["mfa_token"])))


@blueprint.post("/login/second-step/")
@blueprint.checks_credentials_itself
@blueprint.arguments(SecondStepSchema)
@blueprint.response(200, LoginAnswerSchema)
@blueprint.raises(
    ValidationFailed, InvalidCode, InvalidPasskey, MfaTokenInvalid, SecondStepLocked, CsrfFailed, TooManyRequests
)
def do_second_step(sent: dict[str, Any]) -> Response:
    """Finish a sign-in that needs a second step. The tokens are in the response, or in cookies."""
    if sent["cookies"]:
        credentials.reject_cross_site_form()
    with commit_on(InvalidPasskey):
        session, device_token = _finish(sent)
    pair = tokens.issue_pair(session, web=sent["cookies"])
    user = user_json.from_row(user_queries.row_in_transaction(session.user_id))
    db.session.commit()
    if sent["cookies"]:
        response = cookies.set_token_cookies(json_response({"user": user}), pair)
        return cookies.set_device_cookie(response, device_token)
    remembered = {} if device_token is None else {"device_token": device_token}
    return json_response({**pair, **remembered, "user": user})


def _finish(sent: dict[str, Any]) -> admission.Finished:
    token, remember_device = sent["mfa_token"], sent["remember_device"]
    if "credential" in sent:
        return admission.finish_by_passkey(token, sent["credential"], remember_device=remember_device)
    return admission.finish_by_code(token, sent["code"], remember_device=remember_device)
