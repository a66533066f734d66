"""The TypeScript client as others get it: packed by npm, installed in an empty project, compiled and run there."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import processes
import pytest

import config
from tests.support import node
from tests.support.typescript_client import COMPILER, MODULES, PACKAGE

pytestmark = pytest.mark.slow

DOCUMENT = config.ROOT / "docs" / "openapi.json"

IMPORT_EVERYTHING = """
import * as client from "userapi-client";
import * as verify from "userapi-client/verify";
import * as webhooks from "userapi-client/webhooks";
console.log(JSON.stringify([client, verify, webhooks].map((part) => Object.keys(part))));
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty project with the package, and its dependencies from the lock file."""
    node.require_modules(MODULES)
    folder = tmp_path_factory.mktemp("package")
    tree = shutil.copytree(PACKAGE, folder / "checkout", ignore=shutil.ignore_patterns("node_modules", "dist"))
    (tree / "node_modules").symlink_to(MODULES)
    npm(tree, "pack", "--pack-destination", folder)
    (packed,) = folder.glob("*.tgz")
    project = folder / "project"
    project.mkdir()
    names = ("jose", "standardwebhooks", "@stablelib/base64", "fast-sha256")
    without_network = {name: f"file:{MODULES / name}" for name in names}
    (project / "package.json").write_text(json.dumps({"type": "module", "overrides": without_network}))
    npm(project, "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", packed)
    return project


def npm(folder: Path, *arguments: str | Path) -> None:
    command = [processes.program("npm", "npm"), *arguments, "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_part_can_be_imported(project: Path) -> None:
    (project / "main.js").write_text(IMPORT_EVERYTHING)

    client, verify, webhooks = json.loads(node.run_script(project / "main.js"))

    assert {"createClient", "localTokenStorage", "ProblemError"} <= set(client)
    assert {"createVerifier", "InvalidTokenError", "KeysUnavailableError"} <= set(verify)
    assert set(webhooks) == {"WebhookVerificationError", "createReceiver"}
    assert sorted(path.name for path in (project / "node_modules" / "userapi-client").iterdir()) == [
        "LICENSE", "README.md", "dist", "package.json",
    ]  # fmt: skip


def test_its_types_are_those_of_the_api_and_the_examples_in_its_readme_fit_them(project: Path) -> None:
    examples = re.findall(r"```ts\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    for number, example in enumerate(examples):
        (project / f"example{number}.ts").write_text(example)
    shutil.copy(node.CLIENTS / "types.ts", project)
    generator = node.MODULES / "openapi-typescript" / "bin" / "cli.js"
    node.run_script(generator, DOCUMENT, "--output", project / "schema.d.ts")
    options = json.loads((node.CLIENTS / "tsconfig.json").read_text())["compilerOptions"] | {"noEmit": True}
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts"]}))

    node.run_script(COMPILER, "--project", project)

    assert len(examples) == 7
