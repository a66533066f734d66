"""`/userapi/auth/providers/`: sign-in with providers, for apps that send a browser and for native apps."""

from typing import Any

from flask import Response

from userapi.core import clock
from userapi.core.db import commit_on, db
from userapi.core.problems import NotSignedIn, ProofNeeded, SecondStepRequired, ValidationFailed
from userapi.federation import assertions, native, providers, tickets
from userapi.federation.problems import (
    IdentityTaken,
    ProviderAnswerInvalid,
    ProviderDeclined,
    ProviderUnavailable,
    UnknownProvider,
    VisitExpired,
)
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mail.emails import masked
from userapi.mfa.problems import InvalidCode, SecondStepLocked
from userapi.security.throttling import TooManyRequests
from userapi.users import site_urls, user_json
from userapi.users.problems import EmailTaken

from . import account_proofs, cookies, credentials, provider_sign_in, tokens
from .caller import find_caller
from .models import Session
from .problems import CsrfFailed, InvalidCredentials, InvalidMailedCode, InvalidToken, SecondStepNeeded
from .provider_schemas import (
    AccountProofSchema,
    IdTokenSchema,
    NonceSchema,
    OutcomeSchema,
    ProviderRegistrationSchema,
    ProvidersSchema,
    RedemptionSchema,
)
from .provider_sign_in import NewUser, Outcome, SignedIn
from .schemas import LoginAnswerSchema
from .sign_in_responses import respond_signed_in

blueprint = Blueprint("providers", __name__, description="Sign-in with other services.")


@blueprint.get("/providers/")
@blueprint.open_to_all
@blueprint.response(200, ProvidersSchema)
@blueprint.raises(InvalidToken)
def list_providers() -> Response:
    """List the providers to sign in with."""
    shown = [
        {"id": provider.id, "name": provider.name, "start_url": site_urls.provider_start_url(provider.id)}
        for provider in providers.configured()
    ]
    return json_response({"results": shown})


@blueprint.post("/providers/redeem/")
@blueprint.checks_credentials_itself
@blueprint.arguments(RedemptionSchema)
@blueprint.response(200, OutcomeSchema)
@blueprint.raises(
    ValidationFailed,
    VisitExpired,
    UnknownProvider,
    ProviderDeclined,
    SecondStepNeeded,
    SecondStepLocked,
    CsrfFailed,
    TooManyRequests,
)
def redeem_code(sent: dict[str, Any]) -> Response:
    """Redeem the code with which a browser came back: a sign-in, or a ticket for what comes first."""
    credentials.reject_cross_site_form(sent)
    with commit_on(ProviderDeclined, SecondStepNeeded):
        visit = tickets.redeem(sent["code"], sent["code_verifier"])
        provider, assertion = providers.find(visit.provider), assertions.of_visit(visit)
        outcome = provider_sign_in.sign_in_with(
            provider, visit.state_digest, assertion, credentials.find_device_token(sent)
        )
    return _answer(outcome, in_cookies=sent["cookies"])


@blueprint.post("/providers/register/")
@blueprint.checks_credentials_itself
@blueprint.arguments(ProviderRegistrationSchema)
@blueprint.response(
    201, LoginAnswerSchema, description="The account, and the tokens unless its email must be confirmed first."
)
@blueprint.raises(
    ValidationFailed, VisitExpired, UnknownProvider, EmailTaken, IdentityTaken, CsrfFailed, TooManyRequests
)
def register_identity(sent: dict[str, Any]) -> Response:
    """Create the account of an identity. The ticket stays valid if something is wrong."""
    credentials.reject_cross_site_form(sent)
    in_cookies = sent.pop("cookies")
    user, session = provider_sign_in.register(sent.pop("ticket"), sent)
    document = user_json.from_user(user)
    pair = None if session is None else tokens.issue_pair(session, web=in_cookies)
    db.session.commit()
    headers = {"Location": document["url"]}
    if pair is None or in_cookies:
        response = json_response({"user": document}, 201, headers)
        return response if pair is None else cookies.set_token_cookies(response, pair)
    return json_response({**pair, "user": document}, 201, headers)


@blueprint.post("/providers/prove/")
@blueprint.open_to_all
@blueprint.arguments(AccountProofSchema)
@blueprint.response(200, OutcomeSchema, example={**LoginAnswerSchema.EXAMPLE, "outcome": "signed_in"})
@blueprint.raises(
    ValidationFailed,
    VisitExpired,
    UnknownProvider,
    ProviderDeclined,
    InvalidCredentials,
    InvalidToken,
    NotSignedIn,
    SecondStepNeeded,
    InvalidCode,
    SecondStepLocked,
    ProofNeeded,
    SecondStepRequired,
    IdentityTaken,
    CsrfFailed,
    TooManyRequests,
)
def prove_account(sent: dict[str, Any]) -> Response:
    """Prove the account that has the email of an identity, and link it. With a password or code, this is a sign-in.

    Without either, the caller must have signed in recently to that account, and the identity is linked to it.
    """
    credentials.reject_cross_site_form(sent)
    if "challenge" in sent:
        with commit_on(InvalidMailedCode, ProviderDeclined, SecondStepNeeded):
            session, _is_claimed = account_proofs.link_by_code(
                sent["ticket"], sent["challenge"], sent.get("code", ""), credentials.find_device_token(sent)
            )
        return _answer(session, in_cookies=sent["cookies"])
    caller = find_caller()
    if "password" not in sent:
        if caller is None:
            raise NotSignedIn
        with commit_on(ProviderDeclined):
            account_proofs.link_to_caller(sent["ticket"], caller)
        db.session.commit()
        return json_response({"outcome": "signed_in", "user": user_json.from_row(caller.user)})
    with commit_on(InvalidCredentials, ProviderDeclined, SecondStepNeeded):
        session = account_proofs.link_by_password(
            sent["ticket"], sent["password"], sent.get("code"), credentials.find_device_token(sent)
        )
    return _answer(session, in_cookies=sent["cookies"])


@blueprint.post("/providers/<string:provider_id>/nonce/")
@blueprint.checks_credentials_itself
@blueprint.response(201, NonceSchema)
@blueprint.raises(UnknownProvider, TooManyRequests)
def create_nonce(provider_id: str) -> Response:
    """Create a nonce for an ID token that a native app gets from the SDK of a provider."""
    issued = native.issue_nonce(providers.find(provider_id))
    db.session.commit()
    seconds = int((issued.expires_at - clock.now()).total_seconds())
    return json_response({"nonce": issued.nonce, "expires_in": seconds}, 201)


@blueprint.post("/providers/<string:provider_id>/id-token/")
@blueprint.checks_credentials_itself
@blueprint.arguments(IdTokenSchema)
@blueprint.response(200, OutcomeSchema)
@blueprint.raises(
    ValidationFailed,
    UnknownProvider,
    ProviderDeclined,
    ProviderAnswerInvalid,
    ProviderUnavailable,
    SecondStepNeeded,
    SecondStepLocked,
    CsrfFailed,
    TooManyRequests,
)
def sign_in_with_id_token(sent: dict[str, Any], provider_id: str) -> Response:
    """Sign in with an ID token that a native app got from a provider: a sign-in, or a ticket for what comes first."""
    credentials.reject_cross_site_form(sent)
    provider = providers.find(provider_id)
    with commit_on(ProviderDeclined, ProviderAnswerInvalid, ProviderUnavailable, SecondStepNeeded):
        visit, assertion = native.prove_id_token(
            provider,
            sent["id_token"],
            sent["nonce"],
            sent.get("access_token"),
            sent.get("first_name", ""),
            sent.get("last_name", ""),
        )
        outcome = provider_sign_in.sign_in_with(
            provider, visit.state_digest, assertion, credentials.find_device_token(sent)
        )
    return _answer(outcome, in_cookies=sent["cookies"])


def _answer(outcome: Outcome | Session, *, in_cookies: bool) -> Response:
    """Commit, and return the tokens or the ticket."""
    if isinstance(outcome, SignedIn):
        outcome = outcome.session
    if isinstance(outcome, Session):
        return respond_signed_in(outcome, in_cookies=in_cookies, extra={"outcome": "signed_in"})
    db.session.commit()
    if isinstance(outcome, NewUser):
        return json_response(
            {
                "outcome": "registration",
                "ticket": outcome.ticket,
                "email": outcome.email,
                "email_confirmed": outcome.email_confirmed,
                "first_name": outcome.first_name,
                "last_name": outcome.last_name,
            }
        )
    return json_response(
        {
            "outcome": "proof",
            "ticket": outcome.ticket,
            "email_hint": masked(outcome.account.email),
            "ways": outcome.ways,
        }
    )
