"""`/userapi/auth/login/second-step/`: the second step of a sign-in."""

from typing import Any

from flask import Response

from userapi.core.db import commit_on
from userapi.core.problems import ValidationFailed
from userapi.http.openapi import Blueprint
from userapi.mfa.passkey_problems import InvalidPasskey, NoPasskey
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests

from . import admission, cookies, credentials, second_step
from .passkey_json import options_response
from .passkey_schemas import PasskeyOptionsSchema
from .problems import CsrfFailed, MfaTokenInvalid
from .schemas import LoginAnswerSchema
from .second_step_schemas import MfaTokenSchema, SecondStepSchema
from .sign_in_responses import respond_signed_in

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
    credentials.reject_cross_site_form(sent)
    with commit_on(InvalidPasskey):
        session, device_token = _finish(sent)
    if sent["cookies"]:
        return cookies.set_device_cookie(respond_signed_in(session, in_cookies=True), device_token)
    remembered = {} if device_token is None else {"device_token": device_token}
    return respond_signed_in(session, in_cookies=False, extra=remembered)


def _finish(sent: dict[str, Any]) -> admission.Finished:
    token, remember_device = sent["mfa_token"], sent["remember_device"]
    if "credential" in sent:
        return admission.finish_by_passkey(token, sent["credential"], remember_device=remember_device)
    return admission.finish_by_code(token, sent["code"], remember_device=remember_device)
