"""Node, and the JavaScript tools of `tests/clients/package.json` that `make test` installs."""

import os
import subprocess
from pathlib import Path
from typing import NoReturn

import processes
import pytest
from processes import ServiceMissing

import config

CLIENTS = config.ROOT / "tests" / "clients"
MODULES = CLIENTS / "node_modules"


def node_path() -> Path:
    """The path of Node. Without Node the test is skipped, or fails in CI."""
    try:
        return processes.program("node", "nodejs")
    except ServiceMissing as missing:
        _skip(missing)


def node_with_modules() -> Path:
    """The path of Node, with the tools installed. Without them the test is skipped, or fails in CI."""
    require_modules(MODULES)
    return node_path()


def require_modules(modules: Path) -> None:
    """Require the packages in a folder that make installs. Without them the test is skipped, or fails in CI."""
    if not (modules / ".stamp").exists():
        name = modules.relative_to(config.ROOT)
        _skip(ServiceMissing(f"{name} is missing: make {name}/.stamp installs it, with npm"))


def run_script(script: Path, *arguments: str | Path) -> str:
    """Run a script and return its output. Without the tools the test is skipped, or fails in CI."""
    command = [node_with_modules(), script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _skip(missing: ServiceMissing) -> NoReturn:
    """Skip the test, or fail in CI."""
    if os.environ.get("CI"):
        raise missing
    pytest.skip(str(missing))
