"""The commands of the documents, run word for word by a real shell with curl against the real server."""

import os
import shutil

import pytest

import config
from tests.support import http_server
from tests.support.documented_commands import read_steps, run_steps, without_volatile_values

DOCUMENTS = (
    "README.md",
    "docs/tutorial.md",
    "docs/guides/browsable-api.md",
    "docs/guides/front-end-with-cookies.md",
    "docs/guides/other-services.md",
)


def test_no_document_with_commands_is_left_out() -> None:
    pages = [path.relative_to(config.ROOT) for path in (config.ROOT / "docs").rglob("*.md")]

    assert {str(page) for page in pages if read_steps(str(page))} == set(DOCUMENTS) - {"README.md"}


@pytest.mark.skipif(shutil.which("curl") is None and not os.environ.get("CI"), reason="needs curl")
@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_of_a_document_give_the_shown_answers(server: http_server.Server, document: str) -> None:
    told = read_steps(document)

    answers = run_steps(told, server.url, server.environment)

    assert len(answers) == len(told) > 0
    for step, answer in zip(told, answers, strict=True):
        assert without_volatile_values(answer) == without_volatile_values(step.answer), step.command
