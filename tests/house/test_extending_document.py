"""The page on extensions lists exactly what is public, and the guide shows the code that the tests run."""

import re
from pathlib import Path

import pytest

import config
from userapi import extending

PROJECT = config.ROOT / "tests/extension_project"


def test_exactly_the_public_names_are_documented() -> None:
    text = (config.ROOT / "docs/extending.md").read_text()
    table = text.partition("| name | what it is |")[2].partition("\n\n")[0]

    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    documented = [name for row in rows for name in re.findall(r"`(\w+)`", row)]

    assert len(documented) > 20
    assert sorted(documented) == sorted(extending.__all__)
    assert all(hasattr(extending, name) for name in documented)


@pytest.mark.parametrize("project", [PROJECT, config.ROOT / "examples/organisations"])
def test_an_extension_imports_nothing_else_of_the_service(project: Path) -> None:
    code = {path: path.read_text() for path in project.rglob("*.py")}

    assert len(code) > 8
    imports = {
        found for text in code.values() for found in re.findall(r"^(?:from|import) (userapi\S*)", text, re.MULTILINE)
    }
    assert imports == {"userapi.extending"}


def test_the_code_in_the_guide_is_that_of_the_tests() -> None:
    guide = (config.ROOT / "docs/guides/write-an-extension.md").read_text()
    files = [*PROJECT.rglob("*.py"), PROJECT / "pyproject.toml", config.ROOT / "tests/extension_points/conftest.py"]
    tested = "\n".join(without_indentation(path.read_text()) for path in files)

    blocks = re.findall(r"^ *```(?:python|toml)\n(.*?)^ *```", guide, re.MULTILINE | re.DOTALL)

    assert len(blocks) > 8
    for block in blocks:
        assert without_indentation(block) in tested, block


def without_indentation(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip("\n").splitlines())
