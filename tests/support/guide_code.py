"""The code in the guides, which the tests run."""

import re
from collections.abc import Mapping

import config


def code_of(guide: str, language: str, containing: str = "", changes: Mapping[str, str] | None = None) -> str:
    """The one block of a guide in a language.

    Args:
        guide: the name of its file, as `mobile.md`.
        language: as the block names it.
        containing: a text by which to find one of several.
        changes: what the guide shows for example, and what takes its place.
    """
    text = (config.ROOT / "docs" / "guides" / guide).read_text()
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (code,) = [block for block in blocks if containing in block]
    for shown, used in (changes or {}).items():
        assert shown in code, shown
        code = code.replace(shown, used)
    return str(code)
