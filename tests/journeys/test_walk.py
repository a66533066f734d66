"""The README's walk, run word for word by a real shell with curl against the real server."""

import re
import shutil
import subprocess
from typing import NamedTuple

import pytest
import serving

import config

#: Tokens, ids and moments.
VOLATILE = re.compile(r'eyJ[^"]+|(?<=/users/)\d+|(?<="id": )\d+|\d{4}-\d\d-\d\dT[\d:.]+Z')

#: Where the README has the service.
HERE = "http://127.0.0.1:8000"


class Step(NamedTuple):
    """A command of the README, and the answer that it shows."""

    command: str
    answer: str


def steps() -> list[Step]:
    """Every command in the README's console blocks: `$` begins one, a backslash or a bar goes on with it."""
    found: list[Step] = []
    for block in re.findall(r"```console\n(.*?)```", (config.ROOT / "README.md").read_text(), re.DOTALL):
        for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, answer = re.fullmatch(r"((?:[^\n]*[\\|]\n)*[^\n]*\n)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
            found.append(Step(command, answer))
    return found


def settled(answer: str) -> str:
    """An answer without what differs from one walk to the next."""
    return VOLATILE.sub("…", answer).strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the walk needs curl")
def test_the_walk_in_the_readme_gives_the_shown_answers(server: serving.Server) -> None:
    told = steps()
    script = "\n".join(f"echo '@@@'\n{step.command}" for step in told)
    script = script.replace(HERE, server.url)

    done = subprocess.run(["bash", "-u"], input=script, capture_output=True, text=True, timeout=60, check=True)

    answers = done.stdout.split("@@@\n")[1:]
    assert len(answers) == len(told) > 10
    for step, answer in zip(told, answers, strict=True):
        assert settled(answer.replace(server.url, HERE)) == settled(step.answer), step.command
