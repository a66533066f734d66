"""How passwords are stored: as argon2id with the configured cost; older hashes are replaced at sign-in."""

import base64
import hashlib
from collections.abc import Callable, Iterator

import pytest
from argon2 import PasswordHasher, Type
from flask import Flask
from flask.testing import FlaskClient

import config
from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_account, new_user
from tests.support.stored_hashes import sign_in_status, store_hash, stored_hash
from userapi.core.db import db


def pbkdf2(password: str, rounds: int = 1000, salt: str = "wS4hXv1cQz") -> str:
    """A hash as created by Django."""
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), rounds)
    return f"pbkdf2_sha256${rounds}${salt}${base64.b64encode(digest).decode()}"


@pytest.fixture
def email(app: Flask) -> str:
    """The email of an account whose password is PASSWORD."""
    return make_account(app)


def test_P15_the_default_cost_follows_owasp() -> None:
    defaults = config.load({"SECRET_KEY": "vK3x-9QmZ_t7Rw2LpY8sUe5HbN4cJ6aG"})

    assert (defaults["PASSWORD_HASH_MEMORY"], defaults["PASSWORD_HASH_TIME"]) == (19456, 2)


def test_P15_passwords_are_stored_as_argon2id_each_with_its_own_salt(make_app: Callable[..., Flask]) -> None:
    app = make_app(PASSWORD_HASH_MEMORY="19456", PASSWORD_HASH_TIME="2")
    emails = [str(new_user()["email"]) for _ in range(2)]
    for email in emails:
        assert app.test_client().post("/userapi/users/", json=new_user(email=email)).status_code == 201

    hashes = [stored_hash(app, email) for email in emails]

    assert all(hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for hashed in hashes)
    assert hashes[0] != hashes[1]
    assert all(len(hashed.split("$")[4]) >= 22 for hashed in hashes)


def test_P15_a_changed_password_is_stored_as_argon2id(app: Flask, user: ApiUser) -> None:
    new = "quartz melon bicycle 41"
    body = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert user.post("/userapi/auth/password/change/", json=body).status_code == 200

    assert stored_hash(app, user.email).startswith("$argon2id$")
    assert PasswordHasher().verify(stored_hash(app, user.email), new)


def test_P15_a_higher_cost_replaces_the_hash_at_the_next_sign_in(
    app: Flask, make_app: Callable[..., Flask], email: str
) -> None:
    raised = make_app(PASSWORD_HASH_MEMORY="16", PASSWORD_HASH_TIME="2")
    assert stored_hash(app, email).startswith("$argon2id$v=19$m=8,t=1,p=1$")

    assert sign_in_status(raised, email, "wrong") == 401
    assert stored_hash(app, email).startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert sign_in_status(raised, email, PASSWORD) == 200

    assert stored_hash(app, email).startswith("$argon2id$v=19$m=16,t=2,p=1$")
    assert sign_in_status(raised, email, PASSWORD) == 200


def test_P15_a_replaced_hash_ends_no_session(app: Flask, make_app: Callable[..., Flask], email: str) -> None:
    tokens = sign_in(app, email)
    raised = make_app(PASSWORD_HASH_MEMORY="16")

    assert sign_in_status(raised, email, PASSWORD) == 200

    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert app.test_client().get("/userapi/auth/user/", headers=headers).status_code == 200


def test_P15_the_same_cost_keeps_the_hash(app: Flask, email: str) -> None:
    before = stored_hash(app, email)

    assert sign_in_status(app, email, PASSWORD) == 200

    assert stored_hash(app, email) == before


@pytest.mark.parametrize("rounds", [1, 1000, 20_000])
def test_P15_a_django_hash_verifies_and_is_replaced(app: Flask, email: str, rounds: int) -> None:
    store_hash(app, email, pbkdf2("heron over wet fields", rounds))

    assert sign_in_status(app, email, "heron over dry fields") == 401
    assert stored_hash(app, email).startswith("pbkdf2_sha256$")
    assert sign_in_status(app, email, "heron over wet fields") == 200

    assert stored_hash(app, email).startswith("$argon2id$")
    assert sign_in_status(app, email, "heron over wet fields") == 200
    assert sign_in_status(app, email, PASSWORD) == 401


def test_P15_a_django_hash_is_compared_without_normalisation(app: Flask, email: str) -> None:
    """Django does not normalise passwords, and phones write … and ½, and é as two code points."""
    for typed in ("well… half ½ is fine", "cafe\u0301 mit Sahne", "café mit Sahne"):
        store_hash(app, email, pbkdf2(typed))

        assert sign_in_status(app, email, "well") == 401
        assert sign_in_status(app, email, typed) == 200
        assert sign_in_status(app, email, typed) == 200


def test_P15_a_weaker_or_other_argon2_is_replaced(app: Flask, email: str) -> None:
    for kind, cost in ((Type.I, 1), (Type.D, 1), (Type.ID, 3)):
        foreign = PasswordHasher(time_cost=cost, memory_cost=16, parallelism=2, type=kind).hash(PASSWORD)
        store_hash(app, email, foreign)

        assert sign_in_status(app, email, "wrong") == 401
        assert sign_in_status(app, email, PASSWORD) == 200

        assert stored_hash(app, email).startswith("$argon2id$v=19$m=8,t=1,p=1$")


@pytest.mark.parametrize(
    "hashed",
    [
        "",
        "!",
        f"!{pbkdf2(PASSWORD)}",
        PASSWORD,
        f"plain$${PASSWORD}",
        f"md5$salt${hashlib.md5(b'salt' + PASSWORD.encode()).hexdigest()}",
        hashlib.sha256(PASSWORD.encode()).hexdigest(),
        pbkdf2(PASSWORD).replace("$1000$", "$-1000$"),
        pbkdf2(PASSWORD).replace("$1000$", "$0$"),
        pbkdf2(PASSWORD).replace("$1000$", "$x$"),
        pbkdf2(PASSWORD).replace("$1000$", "$999999999999$"),
        pbkdf2(PASSWORD) + "$x",
        pbkdf2(PASSWORD)[:-1],
        "pbkdf2_sha256$1000$salt$",
        "pbkdf2_sha256$1000$salt$====",
        "pbkdf2_sha256",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$",
    ],
)
def test_a_damaged_or_unknown_hash_never_matches(app: Flask, email: str, hashed: str) -> None:
    store_hash(app, email, hashed)

    assert [sign_in_status(app, email, password) for password in (PASSWORD, hashed or "x", "!")] == [401, 401, 401]


def test_P16_no_response_log_or_email_contains_a_password_or_hash(
    app: Flask, client: FlaskClient, superuser: ApiUser, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, wrong = "heron over wet fields", "quartz melon bicycle 41", "ferret beneath dry umbrella"
    email = str(new_user()["email"])
    responses = [
        client.post("/userapi/users/", json=new_user(email=email, password=first)),
        client.post("/userapi/users/", json=new_user(email=email, password=first)),
        client.post("/userapi/users/", json=new_user(email="x", password=wrong, surprise=wrong)),
        client.post("/userapi/users/", data=f'{{"password": "{wrong}"', content_type="application/json"),
        client.post("/api-token-auth/", json={"email": email, "password": wrong}),
        client.post("/api-token-auth/", json={"email": wrong, "password": wrong}),
        client.post("/api-token-auth/", json={"email": email, "password": [wrong]}),
        client.post("/api-token-auth/", data={"email": email, "password": [wrong, first]}),
        client.post("/userapi/auth/login/", json={"email": email, "password": first, "cookies": True}),
    ]
    tokens = sign_in(app, email, first)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    bodies: tuple[dict[str, str], ...] = (
        {"old_password": wrong, "new_password1": second, "new_password2": second},
        {"old_password": first, "new_password1": second, "new_password2": wrong},
        {"old_password": first, "new_password1": second, "new_password2": second},
    )
    responses += [client.post("/userapi/auth/password/change/", json=body, headers=headers) for body in bodies]
    responses += [
        client.patch("/userapi/auth/user/", json={"password": wrong}, headers=headers),
        client.get("/userapi/auth/user/", headers=headers),
        client.get("/userapi/auth/sessions/", headers=headers),
        superuser.get("/userapi/users/"),
        superuser.get(responses[0].get_json()["url"]),
        superuser.get("/userapi/users/", query_string={"search": wrong}),
    ]
    assert responses[11].status_code == 200

    written = {name: text for name, text in everything_stored(app) if name != "users.password_hash"}
    logged = capsys.readouterr().err
    spoken = [f"{response.headers}{response.text}" for response in responses] + [logged] + list(written.values())
    assert "sign_in.failed" in logged
    assert any(email in text for text in spoken)
    for secret in (first, second, wrong, "$argon2", stored_hash(app, email).rpartition("$")[2]):
        assert [text for text in spoken if secret in text] == []


def everything_stored(app: Flask) -> Iterator[tuple[str, str]]:
    """The contents of every column of every table."""
    with app.app_context(), db.engine.connect() as connection:
        for table in db.metadata.tables.values():
            rows = connection.execute(table.select()).mappings().all()
            for column in table.columns:
                yield f"{table.name}.{column.name}", "\n".join(str(row[column.name]) for row in rows)
