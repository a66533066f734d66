"""`/api-token-…/`: obtain, refresh and verify tokens; and the public keys for other services."""

from flask import Response
from flask_babel import gettext as _

from userapi.core.db import commit_on, db
from userapi.core.problems import Problem, SecondStepRequired, ValidationFailed
from userapi.http.negotiation import names_media_type
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security import throttling
from userapi.security.throttling import TooManyRequests

from . import api_key_exchange, cookies, sessions, sign_in, tokens
from .api_key_caller import IpAddressNotAllowed
from .api_key_schemas import KeyTokenSchema
from .api_keys import ApiKeysOff
from .claims import RefreshClaims
from .credentials import refresh_token_required
from .problems import InvalidCredentials, InvalidToken, SecondStepNeeded, TokenReused, TokenRevoked
from .schemas import (
    ClaimsSchema,
    CredentialsSchema,
    DetailSchema,
    KeySetSchema,
    RefreshSchema,
    TokenPairSchema,
    TokenSchema,
)

blueprint = Blueprint("tokens", __name__, description="Tokens: obtain, refresh, verify.")


@blueprint.post("/api-token-auth/")
@blueprint.checks_credentials_itself
@blueprint.arguments(CredentialsSchema)
@blueprint.response(
    200,
    {"anyOf": [TokenPairSchema, KeyTokenSchema]},
    description="The tokens, or the access token for an API key.",
    example=TokenPairSchema.EXAMPLE,
)
@blueprint.leads_to(200, "refresh_tokens", requestBody={"refresh_token": "$response.body#/refresh_token"})
@blueprint.leads_to(200, "verify_token", requestBody={"token": "$response.body#/access_token"})
@blueprint.raises(
    ValidationFailed,
    InvalidCredentials,
    InvalidToken,
    SecondStepNeeded,
    InvalidCode,
    SecondStepLocked,
    ApiKeysOff,
    IpAddressNotAllowed,
    TooManyRequests,
)
def obtain_tokens(credentials: dict[str, str]) -> Response:
    """Exchange email and password for tokens, or an API key for an access token."""
    if "api_key" in credentials:
        token = api_key_exchange.exchange(credentials["api_key"])
        db.session.commit()
        return json_response(token)
    email = credentials.get("email") or credentials["username"]
    with commit_on(InvalidCredentials, SecondStepNeeded):
        session = sign_in.sign_in(
            email, credentials["password"], credentials.get("code"), credentials.get("device_token")
        )
    pair = tokens.issue_pair(session)
    db.session.commit()
    return json_response(pair)


@blueprint.post("/api-token-refresh/")
@blueprint.checks_credentials_itself
@blueprint.arguments(RefreshSchema)
@blueprint.response(
    200,
    {"anyOf": [TokenPairSchema, DetailSchema]},
    description="The new tokens, unless they are set as cookies.",
    example=TokenPairSchema.EXAMPLE,
)
@blueprint.leads_to(200, "refresh_tokens", requestBody={"refresh_token": "$response.body#/refresh_token"})
@blueprint.raises(ValidationFailed, InvalidToken, TokenRevoked, TokenReused, TooManyRequests)
@throttling.limits_each_client("REFRESH_IP")
@refresh_token_required
def refresh_tokens(claims: RefreshClaims) -> Response:
    """Exchange a refresh token for new tokens. A refresh token is single-use."""
    with commit_on(TokenReused):
        session = sessions.refresh_and_commit(claims)
    pair = tokens.issue_pair(session, web=claims.is_for_web)
    if claims.is_for_web:
        return cookies.set_token_cookies(json_response({"detail": _("The cookies have been renewed.")}), pair)
    return json_response(pair)


@blueprint.post("/api-token-verify/")
@blueprint.checks_credentials_itself
@blueprint.arguments(TokenSchema)
@blueprint.response(200, ClaimsSchema)
@blueprint.raises(ValidationFailed, InvalidToken, TokenRevoked, SecondStepRequired, TooManyRequests)
def verify_token(body: dict[str, str]) -> Response:
    """Check an access token: signature, times, issuer, audience, session and account."""
    return json_response(tokens.verify_active(body["token"]).document)


#: RFC 7517, section 8.5.2; `application/json` unless the caller accepts this type by name.
KEY_SET_TYPE = "application/jwk-set+json"

#: Any origin may read the keys: scripts verify ID tokens with them.
KEY_SET_HEADERS = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}

key_blueprint = Blueprint("keys", __name__, description="The public keys that other services use to verify tokens.")


@key_blueprint.get("/.well-known/jwks.json")
@key_blueprint.checks_credentials_itself
@key_blueprint.response(200, KeySetSchema)
@key_blueprint.raises(Problem)
def read_key_set() -> Response:
    """Read the public keys (RFC 7517)."""
    response = json_response(tokens.key_set(), headers=KEY_SET_HEADERS)
    if names_media_type(KEY_SET_TYPE):
        response.mimetype = KEY_SET_TYPE
    return response
