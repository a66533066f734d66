"""The commands in the documentation, run unchanged by a real shell with curl against a real server."""

import os
import shutil

import pytest

import config
from tests.support import http_server
from tests.support.documented_commands import read_steps, run_steps, without_volatile_values

pytestmark = [pytest.mark.slow, pytest.mark.unmeasured]

DOCUMENTS = (
    "README.md",
    "docs/tutorial.md",
    "docs/guides/browsable-api.md",
    "docs/guides/close-accounts.md",
    "docs/guides/front-end-with-cookies.md",
    "docs/guides/other-services.md",
    "docs/guides/import-users.md",
    "docs/guides/invite-people.md",
    "docs/guides/reset-password.md",
    "docs/guides/troubleshoot-sign-in.md",
    "docs/guides/use-an-api-key.md",
)


#: Run against a stack by `tests/faults/stack/test_lost_hosts.py`.
RUNBOOK = "docs/operations.md"


def test_every_document_with_commands_is_tested() -> None:
    pages = [path.relative_to(config.ROOT) for path in (config.ROOT / "docs").rglob("*.md")]

    assert {str(page) for page in pages if read_steps(str(page))} == set(DOCUMENTS) - {"README.md"} | {RUNBOOK}


@pytest.mark.skipif(shutil.which("curl") is None and not os.environ.get("CI"), reason="needs curl")
@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_of_a_document_print_the_shown_output(server: http_server.Server, document: str) -> None:
    steps = read_steps(document)

    outputs = run_steps(steps, server.url, server.environment)

    assert len(outputs) == len(steps) > 0
    for step, output in zip(steps, outputs, strict=True):
        assert without_volatile_values(output) == without_volatile_values(step.output), step.command
