"""The response to a factor that was added."""

from flask import Response

from userapi.http.responses import Document, json_response

from . import cookies, factor_changes, proof, tokens
from .assurance import Proof
from .caller import Caller, Credential


def respond_to_new_factor(caller: Caller, document: Document, first: Proof | None) -> Response:
    """The response to a factor that was added, with new tokens if the session gets some.

    Args:
        caller: who has added it.
        document: what it says about the factor.
        first: the proof that the caller has given with it if it is the first factor.
    """
    if first is None or not factor_changes.gets_new_tokens(caller):
        return json_response(document, 201)
    is_web = caller.credential is Credential.COOKIE
    pair = tokens.issue_pair(proof.add_proof(caller, first), web=is_web)
    if is_web:
        return cookies.set_token_cookies(json_response(document, 201), pair)
    return json_response({**document, **pair}, 201)
