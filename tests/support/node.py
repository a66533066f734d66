"""Node, and the JavaScript tools of `tests/clients/package.json` that `make test` installs."""

import os
import subprocess
from pathlib import Path

import processes
import pytest
from processes import ServiceMissing

import config

CLIENTS = config.ROOT / "tests" / "clients"
MODULES = CLIENTS / "node_modules"


def node_path() -> Path:
    """The path of Node. Without Node the test is skipped, or fails in CI."""
    return _found_or_skipped(modules=False)


def run_script(script: Path, *arguments: str | Path) -> str:
    """Run a script and return its output. Without the tools the test is skipped, or fails in CI."""
    command = [_found_or_skipped(modules=True), script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _found_or_skipped(modules: bool) -> Path:
    try:
        found = processes.program("node", "nodejs")
        if modules and not (MODULES / ".stamp").exists():
            raise ServiceMissing("tests/clients/node_modules is missing: make test installs it, with npm")
    except ServiceMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    return found
