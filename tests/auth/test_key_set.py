"""The signing keys: what other services see of them, and how they are rotated."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient

from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, make_account, make_user, new_user
from tests.support.forged_tokens import (
    forge_token,
    get_own_user,
    read_claims,
    read_header,
    refresh_session,
    verify_token,
)
from userapi.security import key_folder as key_folders
from userapi.security import signing_keys
from userapi.security.signing_keys import KeyRing

KEYS = "/.well-known/jwks.json"

#: How another service identifies its caller.
ELSEWHERE = """
import json, sys
import jwt

key_set, issuer, audience, token = sys.argv[1:]
keys = jwt.PyJWKSet.from_json(key_set)
try:
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["ES256"], issuer=issuer, audience=audience)
except (jwt.PyJWTError, KeyError) as error:
    sys.exit(f"rejected: {error}")
print(claims["sub"])
"""


@pytest.fixture
def folder(key_folder: str, tmp_path: Path) -> Path:
    """A separate key folder with the signing key of the other tests."""
    return Path(shutil.copytree(key_folder, tmp_path / "keys"))


@pytest.fixture
def rotating(make_app: Callable[..., Flask], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An application that reads its key folder without waiting."""
    monkeypatch.setattr(key_folders, "CACHE_SECONDS", 0)
    monkeypatch.setattr(key_folders, "MIN_RELOAD_SECONDS", 0)
    return make_app(JWT_KEY_DIR=str(folder))


@pytest.fixture
def email(make_app: Callable[..., Flask]) -> str:
    """The email of a new account."""
    return make_account(make_app())


def kids(app: Flask) -> list[str]:
    """The ids of the keys that sign our own tokens; clients that need RS256 may have added others in other tests."""
    return [key["kid"] for key in app.test_client().get(KEYS).get_json()["keys"] if key["kty"] == "EC"]


def test_T22_the_key_set_contains_only_public_keys(client: FlaskClient, key_folder: str) -> None:
    response = client.get(KEYS)

    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "public, max-age=300"
    (key,) = [key for key in response.get_json()["keys"] if key["kty"] == "EC"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
    assert key["kid"] == KeyRing(Path(key_folder)).newest().kid
    secret = KeyRing(Path(key_folder)).newest().private.private_numbers().private_value
    assert str(secret) not in response.text
    assert "PRIVATE" not in response.text


def test_T22_the_kid_is_the_thumbprint_of_rfc_7638() -> None:
    example = {
        "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    }  # fmt: skip

    assert signing_keys.compute_thumbprint(example | {"alg": "x"}) == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"


def test_a_token_is_what_PyJWT_makes_of_the_same_claims(key_folder: str) -> None:
    key = signing_keys.KeyRing(Path(key_folder)).newest()
    claims = {"sub": "7", "aud": "userapi", "name": "Ærø", "amr": ["pwd"], "exp": 253_402_300_799}

    tokens = {key.sign(json.dumps(claims, separators=(",", ":")).encode()) for _ in range(50)}  # each signature differs

    theirs = jwt.encode(claims, key.private, "ES256", {"kid": key.kid})
    assert {token.rpartition(".")[0] for token in tokens} == {theirs.rpartition(".")[0]}
    assert {len(token) for token in tokens} == {len(theirs)}
    for token in tokens:
        assert jwt.decode(token, key.public, ["ES256"], audience="userapi") == claims


def test_another_service_verifies_with_only_pyjwt_and_the_key_set(
    app: Flask, client: FlaskClient, key_folder: str
) -> None:
    email = str(new_user()["email"])
    user_id = make_user(app, email=email)
    token = sign_in(app, email)["access_token"]
    claims = read_claims(token)
    key_set = client.get(KEYS).text

    def elsewhere(token: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", ELSEWHERE, key_set, claims["iss"], claims["aud"], token]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})

    accepted = elsewhere(token)
    forged = elsewhere(forge_token(key_folder, claims, key=ec.generate_private_key(ec.SECP256R1())))
    expired = elsewhere(forge_token(key_folder, claims | {"exp": 1}))
    for_others = elsewhere(forge_token(key_folder, claims | {"aud": "userapi-web"}))

    assert (accepted.returncode, accepted.stdout.strip()) == (0, str(user_id))
    for rejected in (forged, expired, for_others):
        assert (rejected.returncode, rejected.stdout) == (1, "")
        assert rejected.stderr.startswith("rejected: ")


def test_T23_a_new_key_signs_immediately_and_the_old_one_still_verifies(
    rotating: Flask, folder: Path, email: str
) -> None:
    client = rotating.test_client()
    before = sign_in(rotating, email)
    (old,) = kids(rotating)

    new = KeyRing(folder).add().kid

    after = sign_in(rotating, email)
    assert read_header(before["access_token"])["kid"] == old
    assert read_header(after["access_token"])["kid"] == read_header(after["refresh_token"])["kid"] == new
    assert kids(rotating) == [new, old]
    for pair in (before, after):
        assert get_own_user(client, pair["access_token"]).status_code == 200
        assert verify_token(client, pair["access_token"]).status_code == 200
        assert read_header(refresh_session(client, pair["refresh_token"]).get_json()["access_token"])["kid"] == new


def test_T23_a_retired_key_no_longer_verifies(rotating: Flask, folder: Path, email: str) -> None:
    client = rotating.test_client()
    before = sign_in(rotating, email)
    old = KeyRing(folder).newest()
    KeyRing(folder).add()
    assert get_own_user(client, before["access_token"]).status_code == 200

    (folder / f"{old.name}.pem").unlink()

    assert get_own_user(client, before["access_token"]).get_json()["code"] == "token_invalid"
    assert verify_token(client, before["access_token"]).status_code == 401
    assert refresh_session(client, before["refresh_token"]).status_code == 401
    assert old.kid not in kids(rotating)
    assert get_own_user(client, sign_in(rotating, email)["access_token"]).status_code == 200


def test_T23_a_key_created_by_another_worker_is_loaded_when_a_token_names_it(
    make_app: Callable[..., Flask], folder: Path, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (make_app(JWT_KEY_DIR=str(folder)) for _ in range(2))
    assert len(kids(second)) == 1
    monkeypatch.setattr(key_folders, "MIN_RELOAD_SECONDS", 0)
    with first.app_context():
        new = signing_keys.get_key_ring().add().kid

    token = sign_in(first, email)["access_token"]

    assert read_header(token)["kid"] == new
    assert get_own_user(second.test_client(), token).status_code == 200


def test_T23_all_workers_notice_a_retired_key_within_a_minute(
    make_app: Callable[..., Flask], folder: Path, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [make_app(JWT_KEY_DIR=str(folder)) for _ in range(3)]
    token, old = sign_in(workers[0], email)["access_token"], KeyRing(folder).newest()

    def statuses() -> list[int]:
        return [get_own_user(worker.test_client(), token).status_code for worker in workers]

    assert statuses() == [200, 200, 200]
    KeyRing(folder).add()
    KeyRing(folder).remove(old.name)

    now = time.monotonic()
    monkeypatch.setattr(key_folders, "time", SimpleNamespace(monotonic=lambda: now + 20))
    assert statuses() == [200, 200, 200]
    monkeypatch.setattr(key_folders, "time", SimpleNamespace(monotonic=lambda: now + 59))
    assert statuses() == [401, 401, 401]
    assert [old.kid in kids(worker) for worker in workers] == [False, False, False]


def test_T23_the_folder_is_read_twice_a_minute_and_for_unknown_keys_once_a_second(
    make_app: Callable[..., Flask], folder: Path, key_folder: str, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(JWT_KEY_DIR=str(folder))
    client, now, read = app.test_client(), [time.monotonic() + 100], KeyRing._read_folder
    token = sign_in(app, email)["access_token"]
    unknown = [
        forge_token(key_folder, read_claims(token), {"alg": "ES256", "typ": "JWT", "kid": f"unknown{number}"})
        for number in range(50)
    ]
    reads: list[float] = []

    def counted(ring: KeyRing) -> list[signing_keys.SigningKey]:
        reads.append(now[0])
        return read(ring)

    monkeypatch.setattr(key_folders, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(KeyRing, "_read_folder", counted)

    start = now[0]
    for second in range(61):
        now[0] = start + second
        assert get_own_user(client, token).status_code == 200
    assert [moment - start for moment in reads] == [0, 30, 60]

    reads.clear()
    for tenth, bad in enumerate(unknown):
        now[0] = start + 60 + tenth / 10
        assert get_own_user(client, bad).status_code == 401
    assert len(reads) <= 5


def test_a_broken_key_file_does_not_stop_the_service(rotating: Flask, folder: Path, email: str) -> None:
    client = rotating.test_client()
    token = sign_in(rotating, email)["access_token"]

    (folder / "29991231T000000000000Z.pem").write_text("-----BEGIN " + "PRIVATE KEY-----\nhalf a k")

    assert get_own_user(client, token).status_code == 200
    assert get_own_user(client, sign_in(rotating, email)["access_token"]).status_code == 200
    assert len(kids(rotating)) == 1


def test_nothing_is_signed_or_verified_without_a_key(rotating: Flask, folder: Path, email: str) -> None:
    client = rotating.test_client()
    token = sign_in(rotating, email)["access_token"]

    shutil.rmtree(folder)

    rejected = client.post("/api-token-auth/", json={"email": email, "password": PASSWORD})
    assert (rejected.status_code, rejected.get_json()["code"]) == (503, "unavailable")
    assert get_own_user(client, token).status_code == 401
    assert kids(rotating) == []
    KeyRing(folder).add()
    assert get_own_user(client, sign_in(rotating, email)["access_token"]).status_code == 200


def test_only_the_owner_can_read_key_files(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"

    KeyRing(folder).add()

    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
