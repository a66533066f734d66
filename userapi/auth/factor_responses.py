"""The response to a factor that was added."""

from flask import Response

from userapi.http.responses import Document, json_response
from userapi.mfa.factors import Added

from . import cookies, factor_changes, proof, tokens
from .assurance import Proof
from .caller import Caller, Credential


def respond_to_new_factor(caller: Caller, added: Added, document: Document, given: Proof) -> Response:
    """The response to a factor that was added, with new tokens if the session gets some.

    Args:
        caller: who has added it.
        added: the factor.
        document: the factor as a JSON object.
        given: the proof that the caller has given with it.
    """
    if added.recovery_codes is not None:
        document = {**document, "recovery_codes": added.recovery_codes}
    if not added.is_first or not factor_changes.gets_new_tokens(caller):
        return json_response(document, 201)
    is_web = caller.credential is Credential.COOKIE
    pair = tokens.issue_pair(proof.add_proof(caller, given), web=is_web)
    if is_web:
        return cookies.set_token_cookies(json_response(document, 201), pair)
    return json_response({**document, **pair}, 201)
