"""A folder `instance/` that this user cannot read, for example after `sudo make run`."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import processes
import pytest

from tests.support import commands, http_server

pytestmark = pytest.mark.slow

#: Runs commands without the privileges of root, which could read every folder.
ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
AS_ANYBODY = ORDINARY if os.geteuid() == 0 else ()

COMMANDS = {
    "make run": commands.RUN,
    "users list": (*commands.FLASK[:3], "users", "list"),
    "keys list": (*commands.FLASK[:3], "keys", "list"),
    "doctor": (*commands.FLASK[:3], "doctor"),
    "db upgrade": (*commands.FLASK[:3], "db", "upgrade"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A source tree whose `instance/` this user cannot read."""
    if AS_ANYBODY and shutil.which("setpriv") is None:
        pytest.skip("root may read everything, and setpriv is not installed")
    tree = commands.copy_source_tree(tmp_path / "userapi")
    instance = tree / "instance"
    instance.mkdir(mode=0o700)
    (instance / "secret_key").write_text("7Jm0bq3yAkz2LDvPYpM4X9sGcWnRtE5u")
    if AS_ANYBODY:
        os.chown(instance, 65534, 65534)
    else:
        instance.chmod(0)
    yield tree
    instance.chmod(0o700)


def run(tree: Path, command: str, **variables: str) -> commands.CommandResult:
    env = commands.bare_environment(PORT=str(processes.free_port()), **variables)
    del env["PYTHONPATH"]
    return commands.run(*AS_ANYBODY, *COMMANDS[command], env=env, cwd=tree)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unreadable_instance_folder_is_a_one_line_error_that_says_what_to_do(tree: Path, command: str) -> None:
    done = run(tree, command)

    assert done.is_one_line, done
    assert f"userapi: {tree}/instance: Permission denied" in done.errors
    assert "set SECRET_KEY, DATABASE_URL and JWT_KEY_DIR." in done.errors


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("missing", ["DATABASE_URL", "JWT_KEY_DIR"])
def test_a_setting_in_an_unreadable_folder_is_a_one_line_error(tree: Path, command: str, missing: str) -> None:
    settings = commands.environment(f"sqlite:///{tree}/own.db", tree)
    del settings[missing], settings["PYTHONPATH"]

    done = commands.run(*AS_ANYBODY, *COMMANDS[command], env=settings | {"PORT": str(processes.free_port())}, cwd=tree)

    assert "Traceback" not in done.errors, done.errors
    assert done.code in (0, 1)
    assert done.code == 0 or missing == "JWT_KEY_DIR" or f"{tree}/instance" in done.output + done.errors
    if command == "make run":
        assert done.is_one_line, done
        assert f"{tree}/instance" in done.errors
        assert f"or set {missing}." in done.errors


def test_an_unreadable_instance_folder_does_not_matter_when_everything_is_set(tree: Path) -> None:
    port = str(processes.free_port())
    env = commands.environment(f"sqlite:///{tree}/own.db", tree, PORT=port)
    del env["PYTHONPATH"]

    for command in ("db upgrade", "users list"):
        assert commands.run(*AS_ANYBODY, *COMMANDS[command], env=env, cwd=tree).code == 0
    started = commands.start(*AS_ANYBODY, *commands.RUN, env=env, cwd=tree)
    try:
        http_server.wait_until_ready(f"http://127.0.0.1:{port}", started)
    finally:
        started.send_signal(signal.SIGINT)
    done = commands.finish(started)

    assert (done.code, "Traceback" in done.errors) == (0, False), done
