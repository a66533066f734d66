"""The service is started from a fresh copy of the source tree, and started again."""

import json
import re
import signal
import socket
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import processes
import pytest

from tests.support import commands, http_server

pytestmark = pytest.mark.slow


def bare_environment() -> dict[str, str]:
    """An environment without settings."""
    environment = commands.bare_environment()
    del environment["PYTHONPATH"]
    return environment


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree in which nothing was started yet."""
    return commands.copy_source_tree(tmp_path / "userapi")


@pytest.fixture
def bare() -> dict[str, str]:
    """An environment without settings."""
    return bare_environment()


@dataclass
class FirstStart:
    """A service that was started in a fresh tree. Tests may read both, but must not stop the service."""

    tree: Path
    server: http_server.Server


@pytest.fixture(scope="module")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstStart]:
    folder = tmp_path_factory.mktemp("first")
    tree = commands.copy_source_tree(folder / "userapi")
    with http_server.run_server(folder, bare_environment(), cwd=tree) as server:
        yield FirstStart(tree, server)


def post(url: str, **body: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def stored_state(tree: Path) -> dict[str, Any]:
    """Everything that a start could change: the secret, the keys, and every row."""
    files = {
        str(path): path.read_bytes()
        for path in (tree / "instance").rglob("*")
        if path.suffix in ("", ".pem") and path.is_file()
    }
    with sqlite3.connect(tree / "instance" / "userapi.db") as connection:
        rows = list(connection.iterdump())
    connection.close()
    return {**files, "rows": rows}


def test_C01_one_command_runs_the_service_and_the_next_start_changes_nothing(tree: Path, bare: dict[str, str]) -> None:
    with http_server.run_server(tree.parent, bare, cwd=tree) as first:
        assert processes.status(f"{first.url}/readyz") == 200
        assert first.password is not None
        assert first.log.read_text().count(first.password) == 1
        for path in ("/userapi/", "/docs/", "/admin/"):
            assert f"{first.url}{path}\n" in first.log.read_text()
            assert processes.status(f"{first.url}{path}") == 200
        status, tokens = post(f"{first.url}/userapi/auth/login/", email=first.email, password=first.password)
        assert (status, tokens["user"]["is_superuser"]) == (200, True)
        assert first.stop() == 0
        assert processes.status(f"{first.url}/readyz") is None
    before = stored_state(tree)

    with http_server.run_server(tree.parent, bare | {"SUPERUSER_EMAIL": "ada@example.org"}, cwd=tree) as second:
        assert processes.status(f"{second.url}/readyz") == 200
        assert second.password is None
        assert second.stop() == 0

    assert stored_state(tree) == before


def test_a_checkout_in_a_folder_with_an_odd_name_works(tmp_path: Path, bare: dict[str, str]) -> None:
    tree = commands.copy_source_tree(tmp_path / "my accounts, 100%25 #1 ?x=é & [a]")

    with http_server.run_server(tmp_path, bare, cwd=tree) as server:
        status, _tokens = post(f"{server.url}/userapi/auth/login/", email=server.email, password=str(server.password))
        command = (sys.executable, "-m", "flask", "--app", "wsgi.py", "doctor")
        doctor = commands.run(*command, env=bare | {"PYTHONPATH": str(tree)}, cwd=tree)

    assert status == 200
    assert doctor.code == 0, doctor
    assert {path.name for path in (tree / "instance").iterdir()} >= {"userapi.db", "keys", "secret_key"}
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [tree]


def test_commands_use_the_port_of_the_last_start(tree: Path, bare: dict[str, str]) -> None:
    def site_url(**variables: str) -> str:
        env = {**bare, "PYTHONPATH": str(tree), **variables}
        command = (sys.executable, "-m", "flask", "--app", str(tree / "wsgi.py"), "doctor")
        (line,) = re.findall(r"SITE_URL is (\S+?)[:,]? ", commands.run(*command, env=env, cwd=tree).output)
        return str(line)

    for _start in ("first", "second"):
        with http_server.run_server(tree.parent, bare, cwd=tree) as server:
            assert site_url() == server.url
    assert site_url(PORT="8123") == "http://localhost:8123"

    with port_in_use() as port:
        rejected = commands.run(*commands.RUN, env={**bare, "PYTHONPATH": str(tree), "PORT": port}, cwd=tree)
    assert rejected.is_one_line
    assert site_url() == server.url


@contextmanager
def port_in_use() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def test_C05_only_the_owner_can_read_what_the_first_start_creates(
    first_start: FirstStart, bare: dict[str, str]
) -> None:
    instance = first_start.tree / "instance"
    made = {path: path.stat().st_mode & 0o777 for path in (instance, *instance.rglob("*"))}
    secret = (instance / "secret_key").read_text()

    seen = commands.run("ps", "-A", "-ww", "-o", "args", env=bare).output

    assert {mode for path, mode in made.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in made.items() if path.is_file()} == {0o600}
    assert {path.name for path in made} >= {"secret_key", "userapi.db", "keys"}
    assert len(secret) >= 32
    assert "userapi.cli.run" in seen
    assert secret not in seen + first_start.server.log.read_text()


def test_L10_there_is_no_default_account(first_start: FirstStart) -> None:
    server = first_start.server
    assert server.password is not None
    for email in ("admin", "root@example.com", server.email):
        for password in ("admin", "password", "userapi", server.email):
            assert post(f"{server.url}/api-token-auth/", email=email, password=password)[0] == 401

    assert post(f"{server.url}/api-token-auth/", email=server.email, password=server.password)[0] == 200


def test_the_commands_find_what_the_first_start_created(
    tree: Path, first_start: FirstStart, bare: dict[str, str]
) -> None:
    list_users = (*commands.FLASK[:3], "users", "list")
    assert commands.run(*list_users, env=bare, cwd=tree).is_one_line

    listed = commands.run(*list_users, env=bare, cwd=first_start.tree)

    assert listed.code == 0, listed
    assert first_start.server.email in listed.output


def test_commands_started_elsewhere_use_what_is_in_the_checkout(
    tmp_path: Path, first_start: FirstStart, bare: dict[str, str]
) -> None:
    tree = first_start.tree
    command = (sys.executable, "-m", "flask", "--app", str(tree / "wsgi.py"), "users", "list")

    listed = commands.run(*command, env=bare | {"PYTHONPATH": str(tree)}, cwd=tmp_path)
    other = commands.run(*command, env=bare | {"PYTHONPATH": str(tree), "USERAPI_INSTANCE": "none"}, cwd=tmp_path)

    assert listed.code == 0, listed
    assert first_start.server.email in listed.output
    assert other.is_one_line
    assert list(tmp_path.iterdir()) == []


def test_the_first_superuser_can_have_a_chosen_email_address(tree: Path, bare: dict[str, str]) -> None:
    (tree / ".env").write_text("SUPERUSER_EMAIL=ada@example.org\n")

    with http_server.run_server(tree.parent, bare, cwd=tree) as server:
        assert server.email == "ada@example.org"
        assert server.password is not None
        assert post(f"{server.url}/api-token-auth/", email="ada@example.org", password=server.password)[0] == 200


def test_a_port_in_use_is_a_one_line_error_that_suggests_another(tree: Path, bare: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as in_use:
        port = in_use.getsockname()[1]

        done = commands.run(*commands.RUN, env=bare | {"PORT": str(port)}, cwd=tree)

    assert done.is_one_line, done
    assert f"PORT: {port} is already in use" in done.errors
    assert f"make run PORT={port + 1}" in done.errors
    assert not (tree / "instance").exists()


def test_a_folder_that_cannot_be_written_is_a_one_line_error(tree: Path, bare: dict[str, str]) -> None:
    (tree / "instance").write_text("a file is in the way")  # used instead of permissions, which do not apply to root

    done = commands.run(*commands.RUN, env=bare, cwd=tree)

    assert done.is_one_line, done
    assert f"{tree}/instance is not a folder." in done.errors


def test_a_database_in_a_missing_folder_is_a_one_line_error(tree: Path, bare: dict[str, str]) -> None:
    done = commands.run(*commands.RUN, env=bare | {"DATABASE_URL": f"sqlite:///{tree}/nowhere/users.db"}, cwd=tree)

    assert done.is_one_line, done
    assert "DATABASE_URL: " in done.errors
    assert f"{tree}/nowhere does not exist" in done.errors


def test_U07_a_database_newer_than_the_code_is_a_one_line_error(tree: Path, bare: dict[str, str]) -> None:
    with http_server.run_server(tree.parent, bare, cwd=tree) as server:
        server.stop()
    with sqlite3.connect(tree / "instance" / "userapi.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    done = commands.run(*commands.RUN, env=bare | {"PORT": str(processes.free_port())}, cwd=tree)

    assert done.is_one_line, done
    assert "'9999'" in done.errors
    assert "newer than this code" in done.errors


def test_N11_two_first_starts_at_the_same_time_create_everything_once(
    new_database_url: str, tmp_path: Path, bare: dict[str, str]
) -> None:
    env = commands.environment(new_database_url, tmp_path)
    ports = [str(processes.free_port()) for _ in range(2)]
    started = [commands.start(*commands.RUN, env=env | {"PORT": port}, cwd=tmp_path) for port in ports]
    try:
        for process, port in zip(started, ports, strict=True):
            http_server.wait_until_ready(f"http://127.0.0.1:{port}", process)
    finally:
        for process in started:
            process.send_signal(signal.SIGINT)
    done = [commands.finish(process) for process in started]

    assert [result.code for result in done] == [0, 0], done
    assert sum("An admin account was created" in result.output for result in done) == 1
    assert len(list((tmp_path / "keys").glob("*.pem"))) == 1
    listed = commands.run(*commands.FLASK, "users", "list", env=env).output
    assert len(listed.splitlines()) == 2  # a header and the superuser


def test_the_first_start_creates_its_own_values_for_empty_variables(tree: Path, bare: dict[str, str]) -> None:
    empty = dict.fromkeys(("SECRET_KEY", "DATABASE_URL", "JWT_KEY_DIR", "MAIL_SERVER"), "")

    with http_server.run_server(tree.parent, bare | empty, cwd=tree) as server:
        assert processes.status(f"{server.url}/readyz") == 200

    assert {"secret_key", "userapi.db", "keys"} <= {path.name for path in (tree / "instance").iterdir()}
