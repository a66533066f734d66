"""A Django site whose users have second factors, entries of its dump, and what its users have on the new site."""

import base64
import hashlib
import json
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import Result
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django_otp.oath import hotp
from flask import Flask

import config
from tests.support import commands
from tests.support.authenticator import Authenticator, Passkey, decode
from tests.support.forged_tokens import read_claims

PROJECT = config.ROOT / "tests" / "django_project"

#: Where the old site was; browsers know the new one as http://accounts.example.com.
ORIGIN = "https://accounts.example.com"
USERS = 35

LOGIN = "/userapi/auth/login/"
PASSWORD = "old brittle lantern 7"
password_of = runpy.run_path(str(PROJECT / "populate.py"))["password"]

Import = Callable[..., Result]
SetTime = Callable[[float], None]


class Owner(NamedTuple):
    """A user of the old site.

    Attributes:
        secret: of the app, in base32.
        codes: recovery codes.
        passkey: what an authenticator keeps.
        step: of the last code that the site accepted.
    """

    number: int
    email: str
    password: str
    secret: str = ""
    codes: list[str] = []
    passkey: dict[str, str] | None = None
    step: int = 0


class OldSite(NamedTuple):
    """A Django project whose users have second factors.

    Attributes:
        owners: by name, see `second_factors.py`.
        dump: of all its tables; `natural` and `primary` are with natural keys.
    """

    owners: dict[str, Owner]
    dump: str
    natural: str
    primary: str


def make_old_site(folder: Path) -> OldSite:
    """A real Django project with django-otp and allauth."""
    project = folder / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("__pycache__"))
    path = f"{project}:{config.ROOT}"
    env = commands.bare_environment(DATABASE=str(project / "db.sqlite3")) | {"PYTHONPATH": path}
    outputs = []
    for command in (
        ("manage.py", "migrate", "--run-syncdb", "-v0"),
        ("populate.py", str(USERS)),
        ("second_factors.py", ORIGIN),
        ("manage.py", "dumpdata"),
        ("manage.py", "dumpdata", "--natural-foreign"),
        ("manage.py", "dumpdata", "--natural-foreign", "--natural-primary"),
    ):
        result = commands.run(sys.executable, *command, env=env, cwd=project)
        assert result.code == 0, result.errors
        outputs.append(result.output)
    owners = {
        name: Owner(password=password_of(found["number"]), **found) for name, found in json.loads(outputs[2]).items()
    }
    return OldSite(owners, *outputs[3:])


def enter(app: Flask, owner: Owner, code: str) -> str:
    """Sign in with password and code: what the code proves, or the error."""
    credentials = {"email": owner.email, "password": owner.password, "code": code}
    response = app.test_client().post(LOGIN, json=credentials)
    if response.status_code != 200:
        return str(response.get_json()["code"])
    password, proved, several = read_claims(response.get_json()["access_token"])["amr"]
    assert (password, several) == ("pwd", "mfa")
    return str(proved)


def show_code(secret: str, step: int, digits: int = 6) -> str:
    """What an app shows in a time step."""
    return f"{hotp(base64.b32decode(secret), step, digits=digits):0{digits}}"


def browser_with(kept: dict[str, str]) -> Authenticator:
    """A browser on the new site with a passkey of the old one."""
    private = load_pem_private_key(kept["private"].encode(), None)
    ids = (decode(kept[name]) for name in ("credential_id", "user_handle"))
    passkey = Passkey(private, -7, next(ids), "accounts.example.com", next(ids))
    return Authenticator("http://accounts.example.com", passkeys=[passkey])


# --- Entries of a dump ------------------------------------------------------------------------------------

KEY = "0011" * 10


def user(pk: int, **fields: Any) -> dict[str, Any]:
    """A user whose password is `PASSWORD`."""
    digest = base64.b64encode(hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), b"salt", 1)).decode()
    values = {"email": f"user{pk}@example.com", "password": f"pbkdf2_sha256$1$salt${digest}", "last_login": None}
    return {"model": "api.user", "pk": pk, "fields": {**values, "groups": [], **fields}}


def owner_of(pk: int, key: str = KEY) -> Owner:
    """The same user with an app of django-otp."""
    return Owner(pk, f"user{pk}@example.com", PASSWORD, base64.b32encode(bytes.fromhex(key)).decode())


def totp_device(owner: Any, **fields: Any) -> dict[str, Any]:
    """An app of django-otp."""
    values = {"user": owner, "name": "default", "confirmed": True, "key": KEY, "step": 30, "t0": 0}
    return {"model": "otp_totp.totpdevice", "pk": 5, "fields": {**values, "digits": 6, "last_t": -1, **fields}}


def authenticator(owner: Any, kind: Any, data: Any) -> dict[str, Any]:
    """A factor of allauth."""
    return {"model": "mfa.authenticator", "pk": 5, "fields": {"user": owner, "type": kind, "data": data}}
