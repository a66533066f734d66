"""Clients generated from the OpenAPI document by common generators: each registers an account and uses it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

import config
from tests.support import http_server, node
from tests.support.factories import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.unmeasured]

DOCUMENT = config.ROOT / "docs" / "openapi.json"
numbers = count(1)

Scenario = Callable[..., str]


def python_client(folder: Path) -> Scenario:
    """A scenario over a client by openapi-python-client."""
    programs = Path(sys.executable).parent  # the generator runs ruff, which is in the same folder
    environment = os.environ | {"NO_COLOR": "1", "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [programs / "openapi-python-client", "generate", "--meta", "none", "--path", DOCUMENT,
         "--output-path", folder / "accounts_client"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr

    def play(*arguments: str) -> str:
        command = [sys.executable, node.CLIENTS / "scenario.py", *arguments]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        played = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert played.returncode == 0, played.stderr
        return played.stdout

    return play


def typescript_client(folder: Path) -> Scenario:
    """A scenario over openapi-fetch, typed by openapi-typescript and checked by the compiler."""
    for name in ("package.json", "tsconfig.json", "scenario.ts"):
        shutil.copy(node.CLIENTS / name, folder)
    (folder / "node_modules").symlink_to(node.MODULES)
    generator, compiler = "openapi-typescript/bin/cli.js", "typescript/bin/tsc"
    node.run_script(node.MODULES / generator, DOCUMENT, "--output", folder / "schema.d.ts")
    node.run_script(node.MODULES / compiler, "--project", folder)
    return lambda *arguments: node.run_script(folder / "scenario.js", *arguments)


@pytest.mark.parametrize("generate", [python_client, typescript_client])
def test_a_generated_client_signs_up_signs_in_refreshes_and_patches(
    generate: Callable[[Path], Scenario], server: http_server.Server, tmp_path: Path
) -> None:
    email = f"generated{next(numbers)}@example.com"

    result = json.loads(generate(tmp_path)(server.url, email, PASSWORD))

    assert result == {
        "email": email,
        "city": "Bristol",
        "address": "12 Pulteney Street",
        "rotated": True,
        "refused": "invalid_credentials",
    }
