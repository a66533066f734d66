"""Signatures of JSON Web Tokens, by the library joserfc. Import this module where one is needed, not at the start."""

from collections.abc import Mapping
from typing import Any

from joserfc import jwk, jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

#: The minimum size of an RSA key, in bits (RFC 7518, section 3.3).
MIN_RSA_BITS = 2048

#: The parameters of a public key that matter (RFC 7518, section 6; RFC 8037).
PUBLIC = frozenset({"kty", "crv", "x", "y", "n", "e"})


class InvalidSignature(Exception):
    """The signature is wrong, or the key does not fit the algorithm."""


class _OneAlgorithm(JWSRegistry):
    """Only one algorithm, and any other header parameters; the caller has checked those that matter."""

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithms=[algorithm], strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        """The algorithm, without the warning that RFC 9864 has replaced the name EdDSA, which providers still use."""
        if name not in (self.allowed or ()):
            raise InvalidSignature
        return self.algorithms[name]


def verify(token: str, key: Mapping[str, Any], algorithm: str) -> bytes:
    """The payload of a token that a key has signed.

    Args:
        token: in the compact form.
        key: a JSON Web Key.
        algorithm: the only one that is accepted.

    Raises:
        InvalidSignature: it has not, or the key cannot be used.
    """
    try:
        public = jwk.import_key({name: value for name, value in key.items() if name in PUBLIC})
        if isinstance(public, jwk.RSAKey) and public.public_key.key_size < MIN_RSA_BITS:
            raise InvalidSignature
        return jws.deserialize_compact(token, public, registry=_OneAlgorithm(algorithm)).payload
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise InvalidSignature from error


def sign(payload: bytes, pem: str, key_id: str = "") -> str:
    """Sign a token with a private key: with ES256 if it is a P-256 key, with RS256 if it is an RSA key."""
    key = jwk.ECKey.import_key(pem) if _is_elliptic(pem) else jwk.RSAKey.import_key(pem)
    algorithm = "ES256" if isinstance(key, jwk.ECKey) else "RS256"
    header = {"alg": algorithm, "typ": "JWT", **({"kid": key_id} if key_id else {})}
    return jws.serialize_compact(header, payload, key, algorithms=[algorithm])


def _is_elliptic(pem: str) -> bool:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return isinstance(load_pem_private_key(pem.encode(), password=None), EllipticCurvePrivateKey)
