"""An unchanged client gets what it got from the Django service, but for the exceptions that are named here."""

import json
import os
import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient

import config
from tests.legacy.old_client import BOSS, NEW_PASSWORD, OLD, PASSWORD, Answer, OldClient, http_sender
from tests.support.factories import make_user, new_user
from tests.support.import_files import import_command
from tests.support.legacy_clients import CHANGE, ME, USERS, refresh, sign_in_as_before, verify, with_token

ORIGINAL = config.ROOT / "tests" / "legacy" / "original"

#: The environment of the Django service; `make slow` creates it.
PYTHON = config.ROOT / ".venv-original" / "bin" / "python"

#: What the Django service answered. To record it again: RECORD_ANSWERS=yes make slow ARGS=tests/legacy
RECORDED = ORIGINAL / "answers.json"

GUIDE = config.ROOT / "docs" / "guides" / "move-from-django.md"

#: The steps where this service has another status, and why.
EXCEPTIONS = {
    "registration with a weak password": (400, "The Django service accepts the password 1."),
    "list as XML": (406, "Not promised: JSON is the only format, and the status of another one is 406."),
    "list with an ending": (404, "Not promised: paths have no endings."),
    "a user who does not exist": (403, "Better: 404 would say which ids exist."),
    "own names with PATCH by id": (200, "Better: PATCH without a profile is 500 there."),
    "own profile with PUT": (200, "Better: there, PUT demands a password and ignores it."),
    "own profile and password with PUT": (400, "Not promised: a password is changed at its own path."),
    "change without the old one": (400, "Not promised: a stolen token would change the password."),
    "own user after logout": (401, "Better: there, tokens outlive the sign-out."),
}


class Site(NamedTuple):
    """The Django service, as it runs.

    Attributes:
        url: its address.
        environment: of its processes.
    """

    url: str
    environment: dict[str, str]


@pytest.fixture
def original(tmp_path: Path) -> Iterator[Site]:
    """The Django service, rebuilt from its packages, with three users."""
    if not PYTHON.exists():
        assert "CI" not in os.environ, "make slow installs the packages of the Django service"
        pytest.skip("the packages of the Django service are not installed; make slow installs them")
    environment = {"ORIGINAL_DATABASE": str(tmp_path / "original.sqlite3")}
    command = [PYTHON, "-W", "ignore", "serve.py"]
    with subprocess.Popen(command, cwd=ORIGINAL, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Site(f"http://127.0.0.1:{process.stdout.readline().strip()}", environment)
        process.terminate()


def missing_from(found: Any, shape: Any, place: str = "") -> list[str]:
    """What a shape lacks, or has as another type."""
    if isinstance(shape, dict) and isinstance(found, dict):
        return [each for name in shape for each in missing_from(found.get(name), shape[name], f"{place}.{name}")]
    if isinstance(shape, list) and isinstance(found, list) and shape and found:
        return missing_from(found[0], shape[0], f"{place}[]")
    return [] if found == shape else [place]


def recorded() -> dict[str, Answer]:
    return {name: Answer(*answer) for name, answer in json.loads(RECORDED.read_text()).items()}


@pytest.mark.both
def test_an_unchanged_client_gets_what_it_got_from_the_django_service(
    legacy_app: Flask, old_client: FlaskClient
) -> None:
    for email in (OLD, "other@example.com"):
        make_user(legacy_app, email=email, first_name="", last_name="")
    make_user(legacy_app, email=BOSS, is_staff=True, is_superuser=True)

    def send(method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        response = old_client.open(path, method=method, json=body, headers=headers)
        return response.status_code, response.get_json(silent=True)

    ours, theirs = OldClient(send).walk(), recorded()

    assert list(ours) == list(theirs)
    other = {name: answer.status for name, answer in ours.items() if answer.status != theirs[name].status}
    assert other == {name: status for name, (status, _reason) in EXCEPTIONS.items()}
    lacking = {name: missing_from(answer.shape, theirs[name].shape) for name, answer in ours.items()}
    assert {name: found for name, found in lacking.items() if found and name not in EXCEPTIONS} == {}


@pytest.mark.slow
def test_the_recorded_answers_are_those_of_the_django_service(original: Site) -> None:
    answers = OldClient(http_sender(original.url)).walk()

    if os.environ.get("RECORD_ANSWERS"):
        lines = [f"  {json.dumps(name)}: {json.dumps(answer)}" for name, answer in answers.items()]
        RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    assert answers == recorded()


@pytest.mark.slow
def test_users_of_the_django_service_stay_signed_in_when_they_are_imported(
    original: Site, legacy_app: Flask, old_client: FlaskClient, tmp_path: Path
) -> None:
    send = http_sender(original.url)
    token = send("POST", "/api-token-auth/", {"email": BOSS, "password": PASSWORD}, {})[1]["token"]
    move_users(original, legacy_app, tmp_path)

    verified, renewed = verify(old_client, token), refresh(old_client, token)

    assert (verified.status_code, renewed.status_code) == (200, 200), (verified.text, renewed.text)
    me = old_client.get(ME, headers=with_token(renewed.get_json()["token"])).get_json()
    assert (me["pk"], me["email"]) == (verified.get_json()["user_id"], BOSS)


@pytest.mark.slow
def test_the_script_of_the_guide_takes_users_and_changes_back(
    original: Site, legacy_app: Flask, old_client: FlaskClient, tmp_path: Path
) -> None:
    move_users(original, legacy_app, tmp_path)
    headers = with_token(sign_in_as_before(old_client, BOSS))
    change = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert old_client.post(CHANGE, json=change, headers=headers).status_code == 200
    joined = new_user(email="joined@example.com")
    assert old_client.post(USERS, json=joined).status_code == 201
    file = str(tmp_path / "users.jsonl")
    exported = legacy_app.test_cli_runner().invoke(
        args=["users", "export", file, "--format", "jsonl", "--with-passwords"]
    )
    assert exported.exit_code == 0, exported.output
    (script,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)

    printed = run_django(original, "shell", folder=tmp_path, text=textwrap.dedent(script))

    def status(email: str, password: str) -> int:
        sent = {"email": email, "password": password}
        return http_sender(original.url)("POST", "/api-token-auth/", sent, {})[0]

    assert [status(BOSS, password) for password in (PASSWORD, NEW_PASSWORD)] == [400, 200]
    assert status("joined@example.com", joined["password"]) == 200
    assert "Not here any more" not in printed


def run_django(site: Site, *arguments: str, folder: Path = ORIGINAL, text: str = "") -> str:
    """The output of `manage.py` of the Django service."""
    return subprocess.run(
        [PYTHON, "-W", "ignore", "-m", "django", *arguments, "--settings=site_settings"],
        cwd=folder, env=site.environment | {"PYTHONPATH": str(ORIGINAL)}, input=text, text=True, capture_output=True,
        check=True,
    ).stdout  # fmt: skip


def move_users(site: Site, app: Flask, folder: Path) -> None:
    """Import the users of the Django service."""
    imported = import_command(app, folder)(run_django(site, "dumpdata"), name="users.json")
    assert imported.exit_code == 0, imported.output
