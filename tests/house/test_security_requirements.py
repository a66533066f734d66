"""Every security requirement has a test, and every code in a test name is listed."""

import re

import config

DOCUMENT = config.ROOT / "docs" / "security-requirements.md"


def listed() -> tuple[list[str], set[str]]:
    """The codes of all requirements, and of those without a test named after them."""
    requirements, exceptions = DOCUMENT.read_text().split("## Requirements without a test", maxsplit=1)
    return codes_of_rows(requirements), set(codes_of_rows(exceptions))


def codes_of_rows(text: str) -> list[str]:
    return re.findall(r"^\| ([A-Z]\d\d) \|", text, re.MULTILINE)


def in_test_names() -> set[str]:
    names = [
        name
        for folder in ("tests", "clients/python/tests")
        for path in (config.ROOT / folder).rglob("*.py")
        for name in re.findall(r"def test_(\w+)", path.read_text())
    ]
    return {code for name in names for code in re.findall(r"(?:^|_)([A-Z]\d\d)(?=_)", name)}


def test_every_code_in_the_name_of_a_test_is_a_listed_requirement() -> None:
    requirements, _exceptions = listed()

    assert len(requirements) == len(set(requirements)) > 250
    assert in_test_names() - set(requirements) == set()


def test_every_requirement_has_a_test_or_says_why_not() -> None:
    requirements, exceptions = listed()

    assert set(requirements) - in_test_names() == exceptions
