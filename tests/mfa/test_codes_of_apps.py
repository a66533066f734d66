"""Codes of authenticator apps are those of the standards, with the vectors of RFC 4226 and RFC 6238."""

import base64

import pytest

from userapi.mfa import codes, totp

SEEDS = {"SHA1": 20, "SHA256": 32, "SHA512": 64}

#: RFC 4226, appendix D.
HOTP = [755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489]

#: RFC 6238, appendix B: seconds, and the code with each algorithm.
TOTP = {
    59: ("94287082", "46119246", "90693936"),
    1111111109: ("07081804", "68084774", "25091201"),
    1111111111: ("14050471", "67062674", "99943326"),
    1234567890: ("89005924", "91819424", "93441116"),
    2000000000: ("69279037", "90698825", "38618901"),
    20000000000: ("65353130", "77737706", "47863826"),
}


def seed(algorithm: str) -> str:
    """The secret of the vectors: the digits from 1 to 0, repeated."""
    return base64.b32encode((b"1234567890" * 7)[: SEEDS[algorithm]]).decode()


@pytest.mark.parametrize(("counter", "code"), list(enumerate(HOTP)))
def test_codes_are_those_of_rfc_4226(counter: int, code: int) -> None:
    assert totp.compute_code(seed("SHA1"), counter) == f"{code:06}"


@pytest.mark.parametrize(
    ("seconds", "algorithm", "code"),
    [(seconds, algorithm, code) for seconds, row in TOTP.items() for algorithm, code in zip(SEEDS, row, strict=True)],
)
def test_codes_are_those_of_rfc_6238(seconds: int, algorithm: str, code: str) -> None:
    assert totp.compute_code(seed(algorithm), seconds // 30, 8, algorithm) == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"),
        (" 123 456\n", "123456"),
        ("123-456", "123456"),
        ("１２３４５６", "123456"),
        ("١٢٣٤٥٦", "123456"),
        ("১২৩৪৫৬", "123456"),
        ("7K3M-abcd", "7K3Mabcd"),
        ("７Ｋ３Ｍ", "7K3M"),
        ("1" * 101, ""),
    ],
)
def test_S83_spaces_hyphens_and_scripts_of_digits_do_not_matter(typed: str, code: str) -> None:
    assert codes.normalize(typed) == code
