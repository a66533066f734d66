"""`/userapi/auth/code/`: codes by email, to sign in or to prove the identity."""

from typing import Any

from flask import Response

from userapi.core.db import commit_on, db
from userapi.core.problems import NotSignedIn, ProofNeeded, ValidationFailed
from userapi.federation.problems import ProviderDeclined, VisitExpired
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa.problems import SecondStepLocked
from userapi.security.throttling import TooManyRequests

from . import account_proofs, credentials, mailed_code_requests, mailed_codes, proof
from .caller import get_caller
from .mailed_code_requests import LIFETIME, RESEND_AFTER
from .mailed_code_schemas import CodeRequestedSchema, CodeRequestSchema, CodeSignInSchema
from .mailed_codes import SignedIn
from .problems import CodesUnavailable, CsrfFailed, InvalidMailedCode, InvalidToken, SecondStepNeeded
from .schemas import LoginAnswerSchema
from .sign_in_responses import respond_signed_in

blueprint = Blueprint("mailed_codes", __name__, description="Codes by email.")


@blueprint.post("/code/")
@blueprint.open_to_all
@blueprint.arguments(CodeRequestSchema)
@blueprint.response(202, CodeRequestedSchema)
@blueprint.raises(
    ValidationFailed,
    CodesUnavailable,
    VisitExpired,
    ProviderDeclined,
    NotSignedIn,
    InvalidToken,
    ProofNeeded,
    TooManyRequests,
)
def request_code(sent: dict[str, Any]) -> Response:
    """Request a code by email. The response is the same whether or not an account exists."""
    if sent["purpose"] == "prove":
        challenge = proof.request_code(get_caller())
    elif sent["purpose"] == "claim":
        with commit_on(ProviderDeclined):
            challenge = account_proofs.request_code(sent["ticket"])
    else:
        challenge = mailed_code_requests.request_sign_in(sent["email"], sent.get("code_challenge"))
    db.session.commit()
    seconds = {"expires_in": LIFETIME.seconds, "resend_after": RESEND_AFTER.seconds}
    return json_response({"challenge": str(challenge), **seconds}, 202)


@blueprint.post("/code/confirm/")
@blueprint.checks_credentials_itself
@blueprint.arguments(CodeSignInSchema)
@blueprint.response(200, LoginAnswerSchema)
@blueprint.raises(ValidationFailed, InvalidMailedCode, SecondStepNeeded, SecondStepLocked, CsrfFailed, TooManyRequests)
def sign_in_with_code(sent: dict[str, Any]) -> Response:
    """Sign in with a code or link from an email. The tokens are in the response, or in cookies."""
    credentials.reject_cross_site_form(sent)
    with commit_on(InvalidMailedCode, SecondStepNeeded):
        session = _sign_in(sent, credentials.find_device_token(sent)).session
    return respond_signed_in(session, in_cookies=sent["cookies"])


def _sign_in(sent: dict[str, Any], device_token: str | None) -> SignedIn:
    if "token" not in sent:
        return mailed_codes.sign_in_by_code(sent["challenge"], sent["code"], device_token)
    return mailed_codes.sign_in_by_link(
        sent["token"], code=sent.get("code"), verifier=sent.get("code_verifier"), device_token=device_token
    )
