"""The discovery document, made from the constants that the endpoints use (OpenID Connect Discovery; RFC 8414)."""

from typing import Any

from flask import current_app

from userapi.auth.assurance import Level

from . import openid_tokens, scopes
from .authorization_parameters import CHALLENGE_METHODS, PROMPTS, RESPONSE_MODES, RESPONSE_TYPES
from .client_checks import Grant
from .client_secrets import TokenAuth
from .openid_tokens import Algorithm

#: The endpoints by their names in the document.
ENDPOINTS = {
    "authorization_endpoint": "/oauth/authorize/",
    "token_endpoint": "/oauth/token/",
    "userinfo_endpoint": "/oauth/userinfo/",
    "jwks_uri": "/.well-known/jwks.json",
    "introspection_endpoint": "/oauth/introspect/",
    "revocation_endpoint": "/oauth/revoke/",
    "end_session_endpoint": "/oauth/logout/",
    "pushed_authorization_request_endpoint": "/oauth/par/",
    "device_authorization_endpoint": "/oauth/device/",
}

#: Claims of ID tokens besides those of scopes.
OF_TOKENS = ("iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "sid")

CONFIDENTIAL_AUTH = [auth.value for auth in TokenAuth if auth is not TokenAuth.NONE]


def build() -> dict[str, Any]:
    """The document."""
    issuer = openid_tokens.issuer()
    claims = dict.fromkeys(name for names in scopes.CLAIMS.values() for name in names)
    return {
        "issuer": issuer,
        **{name: issuer + path for name, path in ENDPOINTS.items()},
        "scopes_supported": list(scopes.TEXTS),
        "response_types_supported": list(RESPONSE_TYPES),
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": [grant.value for grant in Grant],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [algorithm.value for algorithm in Algorithm],
        "token_endpoint_auth_methods_supported": [auth.value for auth in TokenAuth],
        "introspection_endpoint_auth_methods_supported": CONFIDENTIAL_AUTH,
        "revocation_endpoint_auth_methods_supported": [auth.value for auth in TokenAuth],
        "code_challenge_methods_supported": list(CHALLENGE_METHODS),
        "prompt_values_supported": list(PROMPTS),
        "acr_values_supported": [level.value for level in Level],
        "claims_supported": [*claims, *OF_TOKENS],
        "claim_types_supported": ["normal"],
        "ui_locales_supported": list(current_app.config["LANGUAGES"]),
        "authorization_response_iss_parameter_supported": True,
        "require_pushed_authorization_requests": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "claims_parameter_supported": False,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }
