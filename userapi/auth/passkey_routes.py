"""`/userapi/auth/login/passkey/` and `factors/passkeys/`: signing in with a passkey alone, and the caller's own."""

import uuid
from typing import Any

from flask import Response

from userapi.core.db import commit_on, db
from userapi.core.problems import NotFound, ProofNeeded, ValidationFailed
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa import passkey_options, passkeys
from userapi.mfa.passkey_problems import InvalidPasskey, PasskeyKnown, PasskeyRefused, PasskeysUnavailable
from userapi.mfa.problems import EmailUnverified, FactorRequired, FactorUnavailable, TooManyFactors
from userapi.security.throttling import TooManyRequests

from . import credentials, passkey_changes, passkey_sign_in
from .assurance import Proof
from .caller import get_caller
from .factor_responses import respond_to_new_factor
from .factor_schemas import FactorNameSchema, PasskeySchema, RemovalQuerySchema
from .passkey_json import describe_passkey, options_response
from .passkey_schemas import (
    AddedPasskeySchema,
    NewPasskeySchema,
    NothingSchema,
    PasskeyLoginSchema,
    PasskeyOptionsSchema,
)
from .problems import CsrfFailed, LastWayIn
from .schemas import LoginAnswerSchema
from .sign_in_responses import respond_signed_in

blueprint = Blueprint("passkeys", __name__, description="Passkeys: sign-in without a password, and your own.")


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
    credentials.reject_cross_site_form(login)
    with commit_on(InvalidPasskey):
        session = passkey_sign_in.sign_in_by_passkey(login["credential"])
    return respond_signed_in(session, in_cookies=login["cookies"])


@blueprint.post("/factors/passkeys/options/")
@blueprint.jwt_required()
@blueprint.open_to_set_up
@blueprint.fresh
@blueprint.arguments(NothingSchema)
@blueprint.response(200, PasskeyOptionsSchema)
@blueprint.raises(ValidationFailed, PasskeysUnavailable, FactorUnavailable, EmailUnverified, TooManyFactors)
def request_new_passkey(_body: dict[str, Any]) -> Response:
    """Request options to create a passkey. The same session has to send the result, within five minutes."""
    options = passkey_changes.request_options(get_caller())
    db.session.commit()
    return options_response(options)


@blueprint.post("/factors/passkeys/")
@blueprint.jwt_required()
@blueprint.open_to_set_up
@blueprint.arguments(NewPasskeySchema)
@blueprint.response(201, AddedPasskeySchema)
@blueprint.raises(
    ValidationFailed,
    ProofNeeded,
    PasskeyRefused,
    PasskeyKnown,
    PasskeysUnavailable,
    FactorUnavailable,
    EmailUnverified,
    TooManyFactors,
)
@blueprint.leads_to(201, "rename_passkey", "remove_passkey", parameters={"passkey_id": "$response.body#/id"})
def add_passkey(new: dict[str, Any]) -> Response:
    """Add a passkey. With the first factor your other sessions end."""
    caller = get_caller()
    added = passkey_changes.add_passkey(caller, new["credential"], new["name"])
    response = respond_to_new_factor(caller, added, describe_passkey(added.factor), Proof.PASSKEY)
    db.session.commit()
    return response


@blueprint.patch("/factors/passkeys/<uuid:passkey_id>/")
@blueprint.jwt_required()
@blueprint.arguments(FactorNameSchema)
@blueprint.response(200, PasskeySchema)
@blueprint.raises(ValidationFailed, NotFound)
def rename_passkey(change: dict[str, str], passkey_id: uuid.UUID) -> Response:
    """Rename a passkey."""
    renamed = passkeys.rename(passkey_id, get_caller().user.id, change["name"])
    db.session.commit()
    return json_response(describe_passkey(renamed))


@blueprint.delete("/factors/passkeys/<uuid:passkey_id>/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.arguments(RemovalQuerySchema, location="query")
@blueprint.response(204)
@blueprint.raises(ValidationFailed, NotFound, LastWayIn, FactorRequired)
def remove_passkey(query: dict[str, Any], passkey_id: uuid.UUID) -> Response:
    """Remove a passkey. Your other sessions end, and remembered devices are forgotten."""
    passkey_changes.remove_passkey(get_caller(), passkey_id, keep_sessions=query["keep_sessions"])
    db.session.commit()
    return Response(status=204)
