"""The public keys of passkeys: COSE_Keys (RFC 9052, section 7) of three algorithms.

The library fido2 knows more algorithms, among them RSA with SHA-1. Registration accepts only those that it requests.
"""

from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ES256, EDDSA, RS256 = -7, -8, -257

#: In the order of preference: what almost every authenticator has first.
ALGORITHMS = (ES256, EDDSA, RS256)

MIN_RSA_BITS, MAX_RSA_BITS, MAX_RSA_EXPONENT = 2048, 4096, 2**32

# The parameters of a COSE_Key: RFC 9053, section 7, and RFC 8230, section 4.
KEY_TYPE, ALGORITHM = 1, 3
CURVE, X, Y = -1, -2, -3
MODULUS, EXPONENT = -1, -2
OKP, EC2, RSA = 1, 2, 3
P256, ED25519 = 1, 6

#: A key whose private half no one has, because X is the SHA-256 digest of "decoy passkey 0". Assertions of unknown
#: passkeys are verified with it, so that they take as long.
DECOY: Mapping[int, Any] = {
    KEY_TYPE: EC2,
    ALGORITHM: ES256,
    CURVE: P256,
    X: bytes.fromhex("9b26394e22f197ba89b7d0498656b35f382ea752a94ff9164f5371fe655c27e5"),
    Y: bytes.fromhex("4c60d6e4ead215c1e23ca34de73669b6b7b348e3a1eff4d97998df7febcf6b76"),
}


def read(parameters: Mapping[Any, Any]) -> tuple[int, bytes]:
    """The algorithm of a new key, and the key with only the parameters that it needs.

    Raises:
        ValueError, TypeError, KeyError: the algorithm was not requested, or the key is not valid.
    """
    from fido2 import cbor

    algorithm = parameters[ALGORITHM]
    if algorithm == ES256:
        key = _read_elliptic(parameters)
    elif algorithm == EDDSA:
        key = _read_edwards(parameters)
    elif algorithm == RS256:
        key = _read_rsa(parameters)
    else:
        raise ValueError("an algorithm that was not requested")
    return algorithm, cbor.encode(key)


def verify(key: bytes, message: bytes, signature: bytes) -> None:
    """Verify a signature with a stored key.

    Raises:
        InvalidSignature: it is wrong.
    """
    from fido2 import cbor
    from fido2.cose import CoseKey

    parameters: Any = cbor.decode(key)
    CoseKey.parse(parameters).verify(message, signature)


def encode_decoy() -> bytes:
    """The decoy as it would be stored."""
    return read(DECOY)[1]


def _read_elliptic(parameters: Mapping[Any, Any]) -> dict[int, Any]:
    x, y = _bytes(parameters[X]), _bytes(parameters[Y])
    if parameters[KEY_TYPE] != EC2 or parameters[CURVE] != P256 or len(x) != 32 or len(y) != 32:
        raise ValueError("not a P-256 key")
    # This raises a ValueError if the point is not on the curve.
    ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()
    return {KEY_TYPE: EC2, ALGORITHM: ES256, CURVE: P256, X: x, Y: y}


def _read_edwards(parameters: Mapping[Any, Any]) -> dict[int, Any]:
    x = _bytes(parameters[X])
    if parameters[KEY_TYPE] != OKP or parameters[CURVE] != ED25519:
        raise ValueError("not an Ed25519 key")
    ed25519.Ed25519PublicKey.from_public_bytes(x)
    return {KEY_TYPE: OKP, ALGORITHM: EDDSA, CURVE: ED25519, X: x}


def _read_rsa(parameters: Mapping[Any, Any]) -> dict[int, Any]:
    modulus, exponent = _bytes(parameters[MODULUS]), _bytes(parameters[EXPONENT])
    numbers = rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus))
    if parameters[KEY_TYPE] != RSA or not MIN_RSA_BITS <= numbers.n.bit_length() <= MAX_RSA_BITS:
        raise ValueError("not an RSA key of an accepted length")
    if numbers.e > MAX_RSA_EXPONENT:
        raise ValueError("an exponent that is slow to verify")
    numbers.public_key()
    return {KEY_TYPE: RSA, ALGORITHM: RS256, MODULUS: modulus, EXPONENT: exponent}


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("not a byte string")
    return value
