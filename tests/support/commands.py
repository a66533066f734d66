"""Commands of the project, run in their own process with the settings of a test."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask

import config
from tests.support.app_config import SECRET_KEY

RUN = (sys.executable, "-m", "userapi.cli.run")
#: After so many seconds a command hangs; the import of ten thousand users takes a minute on a busy machine.
SECONDS_TO_END = 150
FLASK = (sys.executable, "-m", "flask", "--app", str(config.ROOT / "wsgi.py"))


def bare_environment(**variables: str) -> dict[str, str]:
    """This process's environment without any setting of the service, and with these variables."""
    dropped = {
        *config.list_setting_names(),
        *(f"{name}_FILE" for name in config.list_setting_names()),
        "FLASK_APP",
        "USER_PASSWORD",
    }
    other_variables = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**other_variables, "PYTHONPATH": str(config.ROOT), "FLASK_SKIP_DOTENV": "1", **variables}


def copy_source_tree(folder: Path) -> Path:
    """Copy the source files of the service, without `instance/` and `.env`.

    What Python has compiled is copied too, because the first start would take seconds longer without it.
    """
    for name in ("userapi", "migrations"):
        shutil.copytree(config.ROOT / name, folder / name)
    for name in ("config.py", "wsgi.py"):
        shutil.copy(config.ROOT / name, folder / name)
    return folder


def environment(database_url: str, folder: Path, **variables: str) -> dict[str, str]:
    """All settings that a service needs: a database, a secret, a folder for keys, cheap hashes."""
    return bare_environment(
        **{
            "DATABASE_URL": database_url,
            "SECRET_KEY": SECRET_KEY,
            "JWT_KEY_DIR": str(folder / "keys"),
            "DATA_KEY_DIR": str(folder / "data_keys"),
            "PASSWORD_HASH_MEMORY": "8",
            "PASSWORD_HASH_TIME": "1",
            **variables,
        }
    )


def environment_for(app: Flask, **variables: str) -> dict[str, str]:
    """The settings with which a command uses the database, secret and keys of an application."""
    settings = {name: app.config[name] for name in ("DATABASE_URL", "SECRET_KEY", "JWT_KEY_DIR", "DATA_KEY_DIR")}
    return bare_environment(**settings, **variables)


def without_coverage(env: dict[str, str]) -> dict[str, str]:
    """The environment of a command that Ctrl-C interrupts.

    Coverage takes a lock that is not reentrant while it traces; a KeyboardInterrupt inside it leaves the lock taken and
    the command hangs.
    """
    return {name: value for name, value in env.items() if not name.startswith("COVERAGE_PROCESS_")}


class CommandResult(NamedTuple):
    """The exit code and output of a command."""

    code: int
    output: str
    errors: str

    @property
    def is_one_line(self) -> bool:
        """Whether it failed with a one-line error: exit code 1, and one line, on standard error only."""
        return self.code == 1 and self.errors.count("\n") == 1 and self.errors.endswith("\n") and not self.output


def start(*command: str, env: dict[str, str], cwd: Path | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start a command as an operator does: `start(*FLASK, "users", "list", env=…)`."""
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(
        command, env=env, cwd=cwd or tempfile.gettempdir(), text=True, start_new_session=True, **options
    )


def finish(process: subprocess.Popen[str], stdin: str | None = None) -> CommandResult:
    """Wait for a command to end; return its result."""
    try:
        output, errors = process.communicate(stdin, timeout=SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # also ends the workers of a server that started although it should not
        raise
    return CommandResult(process.returncode, output, errors)


def run(*command: str, env: dict[str, str], stdin: str = "", cwd: Path | None = None) -> CommandResult:
    """Run a command to its end."""
    return finish(start(*command, env=env, cwd=cwd), stdin)
