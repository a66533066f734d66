"""`/userapi/auth/prove/`: a signed-in user proves the identity again, for operations that require a recent proof."""

from typing import Any

from flask import Response

from userapi.core.db import commit_on, db
from userapi.core.problems import ProofNeeded, ValidationFailed
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa.passkey_problems import InvalidPasskey, NoPasskey
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests

from . import cookies, proof, tokens
from .assurance import level_of
from .caller import Credential, get_caller
from .passkey_json import options_response
from .passkey_schemas import NothingSchema, PasskeyOptionsSchema
from .problems import InvalidCredentials, InvalidMailedCode
from .proof_schemas import ProofSchema, ProvedSchema

blueprint = Blueprint("proof", __name__, description="Recent proofs of identity.")


@blueprint.post("/prove/options/")
@blueprint.jwt_required()
@blueprint.open_to_incomplete
@blueprint.open_to_set_up
@blueprint.arguments(NothingSchema)
@blueprint.response(200, PasskeyOptionsSchema)
@blueprint.raises(ValidationFailed, NoPasskey)
def request_proof_options(_body: dict[str, Any]) -> Response:
    """Request options to prove your identity by a passkey, in the same session and within five minutes."""
    return options_response(proof.build_passkey_options(get_caller()))


@blueprint.post("/prove/")
@blueprint.jwt_required()
@blueprint.open_to_incomplete
@blueprint.open_to_set_up
@blueprint.arguments(ProofSchema)
@blueprint.response(200, ProvedSchema)
@blueprint.raises(
    ValidationFailed, InvalidCredentials, InvalidCode, InvalidPasskey, ProofNeeded, SecondStepLocked, TooManyRequests
)
def prove(sent: dict[str, Any]) -> Response:
    """Prove your identity again. The new tokens are in the response, or in cookies; the earlier refresh token ends."""
    caller = get_caller()
    with commit_on(InvalidCredentials, InvalidMailedCode, InvalidPasskey):
        session = proof.prove_with(caller, sent)
    is_web = caller.credential is Credential.COOKIE
    pair = tokens.issue_pair(session, web=is_web)
    db.session.commit()
    proved = {"acr": level_of(session.amr).value, "auth_time": int(session.proved_at.timestamp())}
    if is_web:
        return cookies.set_token_cookies(json_response(proved), pair)
    return json_response({**pair, **proved})
