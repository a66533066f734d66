"""The TypeScript client in `clients/typescript/`, built once, and a Node process that runs scripts with it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

import config
from tests.support import node

PACKAGE = config.ROOT / "clients" / "typescript"
MODULES = PACKAGE / "node_modules"
COMPILER = MODULES / "typescript" / "bin" / "tsc"

SECONDS_TO_EXIT = 20


class Evaluate(Protocol):
    """Runs a script with everything that the package exports, the functions of `evaluate.mjs` and these values.

    Returns what the script returns.
    """

    def __call__(self, script: str, **values: Any) -> Any: ...


@pytest.fixture(scope="session")
def typescript_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the built package, whose scripts import it by its name. Without npm the test is skipped."""
    node.require_modules(MODULES)
    folder = tmp_path_factory.mktemp("typescript")
    shutil.copy(PACKAGE / "package.json", folder)
    (folder / "node_modules").symlink_to(MODULES)
    node.run_script(COMPILER, "--project", PACKAGE, "--outDir", folder / "dist")
    return folder


@pytest.fixture(scope="module")
def evaluate(typescript_client: Path) -> Iterator[Evaluate]:
    """A function that runs scripts in one Node process."""
    script = shutil.copy(node.CLIENTS / "evaluate.mjs", typescript_client)
    process = subprocess.Popen(
        [node.node_path(), script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        env={name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    requests, responses = process.stdin, process.stdout

    def run(script: str, **values: Any) -> Any:
        requests.write(json.dumps({"script": script, "values": values}) + "\n")
        result = json.loads(responses.readline())
        assert "error" not in result, result["error"]
        return result["value"]

    yield run
    requests.close()
    process.wait(SECONDS_TO_EXIT)
    responses.close()
