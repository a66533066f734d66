"""The table of the conformance suite's modules names tests that exist."""

import re

import config

DOCUMENT = config.ROOT / "docs" / "openid-conformance.md"


def test_each_module_of_the_conformance_suite_has_a_test_that_exists() -> None:
    text = DOCUMENT.read_text()
    rows = re.findall(r"^\| `(oidcc-[a-z0-9-]+)` \| (.+) \|$", text, re.MULTILINE)
    defined = {
        name for path in (config.ROOT / "tests" / "openid").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }  # fmt: skip

    assert len(rows) == len(dict(rows)) == 52
    assert [module for module, held in rows if "`test_" not in held] == []
    assert set(re.findall(r"`(test_\w+)`", text)) - defined == set()
