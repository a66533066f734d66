"""What access tokens of clients give: userinfo, introspection and revocation."""

from collections.abc import Mapping
from typing import Any

from flask import request

from userapi.auth.claims import parse_uuid
from userapi.core.db import db

from . import families, family_queries, openid_tokens, queries, scopes
from .client_checks import is_confidential
from .openid_tokens import Kind, NotValid
from .problems import OAuthError


class BearerError(OAuthError):
    """The access token is missing, not valid or not sufficient (RFC 6750, section 3.1)."""

    def __init__(self, error: str = "", description: str = "", status: int = 401) -> None:
        details = f', error="{error}", error_description="{description}"' if error else ""
        more = ', scope="openid"' if error == "insufficient_scope" else ""
        headers = {"WWW-Authenticate": f'Bearer realm="userapi"{details}{more}'}
        super().__init__(error or "invalid_token", description, status, headers)


def read_userinfo() -> tuple[dict[str, Any], Any]:
    """The claims about the user of the access token of this request, and its client (OpenID Connect Core, 5.3).

    Raises:
        BearerError: there is no valid access token with the scope `openid`.
    """
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise BearerError
    try:
        claims = openid_tokens.verify(token.strip(), Kind.ACCESS)
    except NotValid as error:
        raise BearerError("invalid_token", "The access token is not valid.") from error
    family = _find_family(claims)
    if family is None or claims.get("aud") != openid_tokens.issuer():
        raise BearerError("invalid_token", "The access token is not valid.")
    granted = scopes.split(str(claims.get("scope", "")))
    if family.user_id is None or scopes.OPENID not in granted:
        raise BearerError("insufficient_scope", "The access token does not have the scope openid.", 403)
    user = family_queries.read_user(family.user_id)
    if user is None:
        raise BearerError("invalid_token", "The access token is not valid.")
    return scopes.make_claims(user, granted), queries.find_client(family.client_id)


def introspect(client: Any, token: str) -> dict[str, Any]:
    """What a client may know of a token (RFC 7662): its own, or one whose audience it is.

    Raises:
        OAuthError: the client is public, so anyone could ask in its name.
    """
    if not is_confidential(client.kind):
        raise OAuthError("invalid_client", "Only confidential clients may introspect tokens.", 401)
    inactive: dict[str, Any] = {"active": False}
    claims, kind = _read_any(token)
    if claims is None:
        return inactive
    family = _find_family(claims)
    if family is None or (family.client_id != client.id and claims.get("aud") not in client.resources):
        return inactive
    if kind is Kind.REFRESH and str(family.refresh_jti) != claims.get("jti"):
        return inactive
    if kind is Kind.REFRESH and family.client_id != client.id:
        return inactive
    user = {} if family.user_id is None else {"sub": str(family.user_id)}
    of_token = {name: claims[name] for name in ("iss", "aud", "sub", "jti", "iat", "exp", "sid") if name in claims}
    granted = claims.get("scope", family.scopes)
    type_of_token = {"token_type": "Bearer"} if kind is Kind.ACCESS else {}
    return {"active": True, "client_id": family.client_id, "scope": granted, **type_of_token, **of_token, **user}


def revoke(client: Any, token: str) -> None:
    """End the family of a token of the client; anything else is ignored (RFC 7009, section 2.2)."""
    claims, _kind = _read_any(token)
    family_id = parse_uuid(claims.get("fam")) if claims else None
    if family_id is not None:
        families.revoke(client, family_id)
        db.session.commit()


def _read_any(token: str) -> tuple[Mapping[str, Any] | None, Kind | None]:
    """The claims of an access token or a refresh token, and which it is."""
    for kind in (Kind.ACCESS, Kind.REFRESH):
        try:
            return openid_tokens.verify(token, kind), kind
        except NotValid:
            continue
    return None, None


def _find_family(claims: Mapping[str, Any]) -> Any:
    family_id = parse_uuid(claims.get("fam"))
    return None if family_id is None else families.find_active(family_id)
