"""Console blocks of the documentation: parses their commands and output, and runs them."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import config

#: Tokens, ids and times.
VOLATILE = re.compile(
    r'eyJ[^"]+|(?<=/users/)\d+|(?<="id": )\d+|(?<=^Created user )\d+|(?<=^user )\d+|\d{4}-\d\d-\d\dT[\d:.]+Z',
    re.MULTILINE,
)


#: The URL and the programs' folder that the documents show.
HERE = "http://localhost:8000"


PROGRAMS = ".venv/bin/"


class Step(NamedTuple):
    """A command in a document, and the output that the document shows."""

    command: str
    output: str


def read_steps(document: str) -> list[Step]:
    """Every command in a document's console blocks: `$` begins one, a backslash or a pipe continues it."""
    found: list[Step] = []
    blocks = re.findall(r"^ *```console\n(.*?)```", (config.ROOT / document).read_text(), re.DOTALL | re.MULTILINE)
    for block in map(textwrap.dedent, blocks):
        for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, output = re.fullmatch(r"((?:[^\n]*[\\|]\n)*[^\n]*\n)(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
            found.append(Step(command, output))
    return found


def run_steps(steps: list[Step], url: str, environment: dict[str, str]) -> list[str]:
    """Run steps in one shell at the root of the project. Returns their output with the URL of the documents."""
    script = "\n".join(f"echo '@@@'\n{step.command}" for step in steps)
    script = script.replace(HERE, url).replace(PROGRAMS, f"{Path(sys.executable).parent}/")
    done = subprocess.run(
        ["bash", "-u"], input=script, env=environment, cwd=config.ROOT, timeout=120, check=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    return [output.replace(url, HERE) for output in done.stdout.split("@@@\n")[1:]]


def without_volatile_values(output: str) -> str:
    """Output without what differs between runs."""
    return VOLATILE.sub("…", output).strip()
