"""Verify an access token in another service: python verify_token.py SITE AUDIENCE < token (needs pyjwt[crypto])."""

import sys

import jwt

SITE, AUDIENCE = sys.argv[1:]
KEYS = jwt.PyJWKClient(
    f"{SITE}/.well-known/jwks.json", lifespan=300, timeout=5
)  # fetches the keys again for an unknown key id


def verify(token: str) -> dict[str, object]:
    """Return the claims of a valid token; raise jwt.PyJWTError for any other."""
    key = KEYS.get_signing_key_from_jwt(token)
    required = {"require": ["exp", "iat", "sub", "sid", "jti"]}
    checks = {"issuer": SITE, "audience": AUDIENCE, "leeway": 60, "options": required}  # clocks differ
    claims = jwt.decode(token, key, algorithms=["ES256"], **checks)
    if claims.get("type") != "access":
        raise jwt.InvalidTokenError("not an access token")
    return claims


try:
    print("user", verify(sys.stdin.read().strip())["sub"])
except jwt.PyJWTError as error:
    sys.exit(f"rejected: {error}")
