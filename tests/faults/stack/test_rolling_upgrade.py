"""The version before the newest migration, and this one, serve the same database while it is upgraded."""

import itertools
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from alembic.script import ScriptDirectory
from stack import HERE, Stack

import config
from tests.support import http_server
from tests.support.app_stack import JSON, Load, Response, call, get, post, register, tokens_for
from tests.support.factories import new_user

pytestmark = pytest.mark.stack

DATABASE = "userapi_upgraded"


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    """The source tree of the commit before the newest migration."""
    scripts = ScriptDirectory(str(config.ROOT / "migrations"))
    head = scripts.get_revision(scripts.get_current_head() or "")
    added = git("log", "-1", "--diff-filter=A", "--format=%H", "--", head.path).strip()
    if not git("rev-parse", "--quiet", "--verify", f"{added}^" if added else "HEAD"):
        pytest.skip("the git history does not reach back to the commit before the newest migration")
    archive, tree = tmp_path / "previous.tar", tmp_path / "previous"
    git("archive", "--output", str(archive), f"{added}^" if added else "HEAD")
    with tarfile.open(archive) as files:
        files.extractall(tree, filter="data")
    assert not (tree / "migrations" / "versions" / Path(head.path).name).exists()
    return tree


def git(*arguments: str) -> str:
    """The output of git; nothing if it fails."""
    try:
        return subprocess.run(["git", *arguments], cwd=config.ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


@pytest.fixture
def urls(stack: Stack) -> Iterator[dict[str, str]]:
    """The URL of an empty database of its own by role."""
    with psycopg.connect(stack.database_url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")  # type: ignore[call-overload]
        grants = re.sub(r"^CREATE ROLE .*$", "", (HERE / "postgresql" / "roles.sql").read_text(), flags=re.MULTILINE)
        with psycopg.connect(stack.database_url("postgres", DATABASE), autocommit=True) as inside:
            inside.execute(grants)  # type: ignore[call-overload]
        yield {role: stack.database_url(role, DATABASE) for role in ("userapi", "userapi_owner", "postgres")}
        connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")  # type: ignore[call-overload]


def upgrade(tree: Path, environment: dict[str, str], url: str) -> None:
    """Upgrade the tables with the code of a source tree."""
    result = subprocess.run(
        [sys.executable, "-m", "flask", "--app", str(tree / "wsgi.py"), "db", "upgrade"], cwd=tree, check=False,
        env=environment | {"DATABASE_URL": url, "PYTHONPATH": str(tree)}, capture_output=True, text=True,
    )  # fmt: skip
    if tree != config.ROOT and "ModuleNotFoundError" in result.stderr:
        pytest.skip("the commit before the newest migration needs packages that are no longer installed")
    assert result.returncode == 0, result.stderr


@contextmanager
def host(tree: Path, environment: dict[str, str], folder: Path) -> Iterator[http_server.Server]:
    """An app host with the code of a source tree."""
    folder.mkdir()
    with http_server.run_server(folder, environment | {"PYTHONPATH": str(tree)}) as server:
        yield server


def test_no_request_fails_while_two_versions_serve_and_the_tables_are_upgraded(
    stack: Stack, previous: Path, urls: dict[str, str], tmp_path: Path, report: Callable[[str], None]
) -> None:
    own = {"DATABASE_URL": urls["userapi"], "TRUSTED_PROXIES": "0", "JWT_KEY_DIR": str(tmp_path / "keys")}
    environment = dict(stack.environment) | own
    upgrade(previous, environment, urls["userapi_owner"])
    numbers = itertools.count()

    with host(previous, environment, tmp_path / "old") as old, ExitStack() as later:
        hosts = [old.url]
        tokens = [tokens_for(old.url, register(old.url)) for _ in range(4)]

        def act(number: int) -> tuple[Response, str | None]:
            """Register, edit, read or refresh, at each host in turns."""
            turn = next(numbers)
            url, token = hosts[turn % len(hosts)], tokens[number]["access_token"]
            if number == 0:
                wanted = new_user(email=f"load-upgrade-{turn}@example.com")
                response = post(url, "/userapi/users/", wanted)
                return response, str(wanted["email"]) if response.status == 201 else None
            if number == 1:
                return call(url, "PATCH", "/userapi/auth/user/", '{"first_name": "Ada"}', token, **JSON), None
            if number == 2:
                return get(url, "/userapi/auth/user/", token), None
            response = post(url, "/api-token-refresh/", {"refresh_token": tokens[number]["refresh_token"]})
            tokens[number] = response.body if response.status == 200 else tokens[number]
            return response, None

        with Load(act, clients=4) as load:
            load.wait_for_more()
            upgrade(config.ROOT, environment, urls["userapi_owner"])
            load.wait_for_more()
            new = later.enter_context(host(config.ROOT, environment, tmp_path / "new"))
            hosts.append(new.url)
            load.wait_for_more(40)
            hosts.remove(old.url)
            load.wait_for_more()
            old.stop()
            load.wait_for_more()

    with psycopg.connect(urls["postgres"]) as connection:
        there = {email for (email,) in connection.execute("SELECT email FROM users")}
    kept = len(load.acknowledged & there)
    report(
        f"upgrade from {previous_revision(previous)}, both versions serving: {len(load.responses)} requests, "
        f"{dict(load.statuses)}; {len(load.acknowledged)} writes acknowledged, {kept} there"
    )
    assert set(load.statuses) == {200, 201}
    assert load.acknowledged <= there


def previous_revision(tree: Path) -> str:
    """The newest migration of a source tree."""
    return str(ScriptDirectory(str(tree / "migrations")).get_current_head())
