"""Password hashes from Django and others: each kind works for one sign-in, and none may stall the service."""

import base64
import hashlib
from collections.abc import Callable

import bcrypt
import hypothesis
import pytest
from argon2.low_level import Type, hash_secret
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.support import factories
from tests.support.factories import make_account, make_user, new_user
from tests.support.hash_queue import full_queue
from tests.support.response_times import take_equally_long
from tests.support.stored_hashes import sign_in_status, store_hash, stored_hash
from userapi.security import hashing_threads, legacy_hashes
from userapi.security.password_hashing import describe_password_hash, needs_rehash, normalize_password, verify_password

PASSWORD = "½ a heron… over wet fields"

#: PASSWORD as hashed by Django 5.2 with a low cost.
DJANGO = {
    "pbkdf2_sha256": "pbkdf2_sha256$10$AE3Uwb8luPa2u7p8ZvlGI7$WQ04WLvBQ000kmbkWJuUaasji1I+jU/4mbmNl1wdRgA=",
    "pbkdf2_sha1": "pbkdf2_sha1$10$R0KIQv4GDqZDzDpRl1PlPf$NOKHIBjSygMAxMzfQR4C7dmHG2s=",
    "argon2": (
        "argon2$argon2id$v=19$m=16,t=1,p=2$NEprcVZ1UVBibksyMWRFZUlRSTZ2WQ$SErwWWWI69i+rMzBBZzWuso3w2TVjWlg9nBwZtuGXFg"
    ),
    "bcrypt_sha256": "bcrypt_sha256$$2b$04$Ue5WMf/qVFtfME122/t6pu4d.TjInrdvFJuYBx/srTTZjsorVUOvS",
    "bcrypt": "bcrypt$$2b$04$DV3vPcopl7a0dxs3Biu3G.qNB12Bgk1hg8l.cOQWkVrJO8QIlrIx2",
    "scrypt": (
        "scrypt$2$ipyHxvsIDsF71HEBSRJuY7$8$1$CotDh5vN13xKUqfgsOjcBdSkS4F6KDwOhZ"
        "WKRg6tGOoTJ7AiKTJhP/ICPLmT7cGgkhEOVpK7ijwL4QkvOgQeRg=="
    ),
}

#: Hashes that are too expensive to check, each just over its limit, by a similar hash within the limit.
DEAR = {
    "pbkdf2_sha256$3000001$salt$" + "A" * 43 + "=": "pbkdf2_sha256$3000000$salt$" + "A" * 43 + "=",
    "pbkdf2_sha1$3000001$salt$" + "A" * 27 + "=": "pbkdf2_sha1$3000000$salt$" + "A" * 27 + "=",
    "bcrypt$$2b$15$" + "." * 53: "bcrypt$$2b$14$" + "." * 53,
    "$2y$31$" + "." * 53: "$2y$04$" + "." * 53,
    "argon2$argon2id$v=19$m=262145,t=1,p=1$" + "A" * 22 + "$" + "A" * 43: (
        "argon2$argon2id$v=19$m=262144,t=2,p=1$" + "A" * 22 + "$" + "A" * 43
    ),
    "argon2$argon2i$v=19$m=102400,t=6,p=8$" + "A" * 22 + "$" + "A" * 43: (
        "argon2$argon2i$v=19$m=102400,t=5,p=8$" + "A" * 22 + "$" + "A" * 43
    ),
    "$argon2id$v=19$m=4096,t=1,p=17$" + "A" * 22 + "$" + "A" * 43: (
        "$argon2id$v=19$m=4096,t=1,p=16$" + "A" * 22 + "$" + "A" * 43
    ),
    "scrypt$262144$salt$8$1$" + "A" * 86 + "==": "scrypt$131072$salt$8$1$" + "A" * 86 + "==",
    "scrypt$16384$salt$8$9$" + "A" * 86 + "==": "scrypt$16384$salt$8$8$" + "A" * 86 + "==",
}

DAMAGED = (
    "",
    "!",
    "pbkdf2_sha256$0$salt$" + "A" * 43 + "=",
    "pbkdf2_sha256$10$salt$" + "A" * 42 + "==",
    "pbkdf2_sha256$10$$" + "A" * 43 + "=",
    "pbkdf2_sha512$10$salt$" + "A" * 86 + "==",
    "pbkdf2_sha256$10$salt$!" + "A" * 42 + "=",
    "pbkdf2_sha256$١٠$salt$" + "A" * 43 + "=",
    "bcrypt$$2b$00$" + "." * 53,
    "bcrypt$$2b$01$" + "." * 53,
    "bcrypt$$2b$03$" + "." * 53,
    "bcrypt_sha256$$2a$99$" + "." * 53,
    "bcrypt$$2b$04$" + "." * 52,
    "bcrypt$$2b$04$" + "a" * 53,
    "bcrypt$$2b$04$" + "." * 52 + "z",
    "bcrypt$$2x$04$" + "." * 53,
    "bcrypt_sha1$$2b$04$" + "." * 53,
    "scrypt$3$salt$8$1$" + "A" * 86 + "==",
    "scrypt$0$salt$8$1$" + "A" * 86 + "==",
    "scrypt$16384$salt$0$1$" + "A" * 86 + "==",
    "scrypt$16384$salt$8$0$" + "A" * 86 + "==",
    "scrypt$65536$salt$1$1$" + "A" * 86 + "==",
    "scrypt$16384$salt$8$1$AA==",
    "argon2$argon2id$v=19$m=0,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$m$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$v=18$m=16,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "$argon2id$v=18$m=16,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "$argon2id$v=x$m=16,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "$argon2id$é$m=16,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$v=19$m=8,t=1,p=2$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$v=19$m=16,t=0,p=1$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$v=19$m=١٦,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$v=19$t=1,m=16,p=1$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$v=19$m=16,t=1,p=1,data=AAAA$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$v=19$m=16,t=1,p=1$" + "A" * 21 + "B$" + "A" * 43,
    "argon2$argon2ds$v=19$m=16,t=1,p=1$" + "A" * 22 + "$" + "A" * 43,
    "argon2$argon2id$v=19$m=8,t=1,p=1$" + "A" * 22 + "$AAAA",
    "md5$salt$0123456789abcdef0123456789abcdef",
    "sha1$salt$0123456789abcdef0123456789abcdef01234567",
)


@pytest.fixture
def email(app: Flask) -> str:
    """The email of a new account."""
    return make_account(app)


@pytest.mark.parametrize("kind", DJANGO)
def test_U09_a_django_hash_is_replaced_at_the_first_sign_in(app: Flask, email: str, kind: str) -> None:
    store_hash(app, email, DJANGO[kind])

    assert [sign_in_status(app, email, wrong) for wrong in (PASSWORD[:-1], PASSWORD + "x", "", DJANGO[kind])] == [
        401
    ] * 4
    assert stored_hash(app, email) == DJANGO[kind]
    assert sign_in_status(app, email, PASSWORD) == 200

    assert stored_hash(app, email).startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert sign_in_status(app, email, PASSWORD) == 200
    assert sign_in_status(app, email, "1⁄2 a heron... over wet fields") == 200  # normalised from now on


def test_U09_bcrypt_compares_only_72_bytes(app: Flask, email: str) -> None:
    long = "x" * 70 + "ééé"
    for prefix in ("bcrypt$", ""):
        store_hash(app, email, prefix + bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode())

        assert sign_in_status(app, email, "x" * 70) == 401
        assert sign_in_status(app, email, long) == 200


@pytest.mark.parametrize("version", [16, 19])
@pytest.mark.parametrize("prefix", ["", "argon2"])
def test_both_argon2_versions_can_sign_in(app: Flask, email: str, version: int, prefix: str) -> None:
    hashed = hash_secret(
        normalize_password(PASSWORD).encode(), b"saltsalt", 1, 16, 2, 32, Type.ID, version=version
    ).decode()
    store_hash(app, email, prefix + hashed)

    assert sign_in_status(app, email, PASSWORD[:-1]) == 401
    assert sign_in_status(app, email, PASSWORD) == 200
    assert stored_hash(app, email).startswith("$argon2id$v=19$m=8,t=1,p=1$")


@pytest.mark.parametrize("cost", ["2$salt$1$500000", "16$salt$8$8192", "32768$salt$1$32"])
def test_scrypt_with_many_lanes_is_checked(app: Flask, email: str, cost: str) -> None:
    n, salt, r, p = cost.split("$")  # lanes need memory in addition to N * r
    digest = hashlib.scrypt(PASSWORD.encode(), salt=salt.encode(), n=int(n), r=int(r), p=int(p), maxmem=2**28)
    store_hash(app, email, f"scrypt${cost}${base64.b64encode(digest).decode()}")

    assert sign_in_status(app, email, PASSWORD) == 200


#: Valid and invalid parts of hashes, cheap to compute in every combination.
NUMBERS = st.sampled_from(("", "0", "1", "2", "3", "4", "04", "8", "16", "18", "19", "99", "-1", "x", "١", "9" * 10))
BASE64 = st.sampled_from(("", "A" * 11, "A" * 22, "A" * 43 + "=", "A" * 27 + "=", "B" * 43, "A" * 86 + "==", "é", "a$"))
PIECES = st.one_of(
    st.builds("pbkdf2_{}${}${}${}".format, st.sampled_from(("sha256", "sha1", "md5")), NUMBERS, BASE64, BASE64),
    st.builds("scrypt${}${}${}${}${}".format, NUMBERS, BASE64, NUMBERS, NUMBERS, BASE64),
    st.builds(
        "{}$2{}${}${}".format,
        st.sampled_from(("", "bcrypt$", "bcrypt_sha256$", "bcrypt")),
        st.sampled_from("abxy"),
        st.sampled_from(("00", "01", "03", "04", "05", "31", "99", "4")),
        st.text("./Aaz0eu", min_size=51, max_size=54),
    ),
    st.builds(
        "{}$argon2{}${}m={},t={},p={}${}${}".format,
        st.sampled_from(("", "argon2")),
        st.sampled_from(("id", "i", "d", "ds", "")),
        st.one_of(st.just(""), st.builds("v={}$".format, NUMBERS)),
        st.sampled_from(("0", "7", "8", "16", "64", "262145", "x", "+8")),
        st.sampled_from(("0", "1", "2", "99999999", "x")),
        NUMBERS,
        BASE64,
        BASE64,
    ),
    st.text(max_size=60),
)


@hypothesis.settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hashed=PIECES.filter(lambda text: "\x00" not in text and text.isprintable()))
def test_malformed_hashes_never_cause_a_server_error(app: Flask, hashed: str) -> None:
    with app.app_context():
        assert verify_password("not this password", hashed) is False
        assert isinstance(needs_rehash(hashed), bool)
        assert describe_password_hash(hashed)


@pytest.mark.parametrize("dear", DEAR)
def test_P15_a_hash_that_is_too_expensive_is_not_checked(app: Flask, email: str, dear: str) -> None:
    assert legacy_hashes.parse_legacy_hash(DEAR[dear])

    with pytest.raises(legacy_hashes.UnusableHash, match="would take too long"), app.app_context():
        legacy_hashes.parse_legacy_hash(dear)


@pytest.mark.parametrize("damaged", DAMAGED)
def test_P15_a_damaged_hash_is_recognised_and_never_matches(app: Flask, email: str, damaged: str) -> None:
    with pytest.raises(legacy_hashes.UnusableHash), app.app_context():
        legacy_hashes.parse_legacy_hash(damaged)
    store_hash(app, email, damaged)

    assert sign_in_status(app, email, PASSWORD) == 401


def test_P18_foreign_hashes_are_checked_in_their_own_queue(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    email = str(new_user()["email"])
    make_user(app, email=email)
    store_hash(app, email, DJANGO["scrypt"])
    make_user(app, email="own@example.com")

    with full_queue(hashing_threads.get_hashing(app).expensive.queue):
        assert sign_in_status(app, email, PASSWORD) == 503
        assert sign_in_status(app, "own@example.com", factories.PASSWORD) == 200

    assert sign_in_status(app, email, PASSWORD) == 200


def test_L02_a_hash_that_cannot_be_checked_takes_as_long_as_a_wrong_password(make_app: Callable[..., Flask]) -> None:
    app = make_app(PASSWORD_HASH_MEMORY="19456", PASSWORD_HASH_TIME="2")
    for name in ("known", "dear", "damaged"):
        make_user(app, email=f"{name}@example.com")
    store_hash(app, "dear@example.com", next(iter(DEAR)))
    store_hash(app, "damaged@example.com", DAMAGED[-1])

    def try_to_sign_in(name: str) -> Callable[[], None]:
        def wrong() -> None:
            assert sign_in_status(app, f"{name}@example.com", "velvet tram outside 8") == 401

        return wrong

    try_to_sign_in("known")()
    for name in ("dear", "damaged"):
        assert take_equally_long(try_to_sign_in("known"), try_to_sign_in(name), pairs=7), name


def test_P16_the_description_of_a_hash_reveals_nothing_of_it(app: Flask) -> None:
    with app.app_context():
        reported = {kind: describe_password_hash(hashed) for kind, hashed in DJANGO.items()}

    assert reported["pbkdf2_sha1"] == "pbkdf2_sha1: 10 rounds"
    assert reported["argon2"].startswith("argon2id: ")
    assert reported["bcrypt"] == "bcrypt: cost 4"
    for kind, hashed in DJANGO.items():
        assert [part for part in hashed.split("$") if len(part) > 6 and part in reported[kind].replace(kind, "")] == []
