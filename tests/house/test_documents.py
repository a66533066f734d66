"""What the documents list is what the code has."""

import re
from pathlib import Path

import config


def rows(document: str) -> list[str]:
    """The first cells of a document's tables."""
    return re.findall(r"^\| `([^`]+)` \|", (config.ROOT / "docs" / document).read_text(), re.MULTILINE)


def named(pattern: str, *paths: Path) -> set[str]:
    return {name for path in paths for name in re.findall(pattern, path.read_text())}


def test_every_setting_is_documented_once_and_no_other() -> None:
    settings = named(r'env\.[a-z]+\(\s*"([A-Z_]+)"', config.ROOT / "config.py")

    assert len(settings) > 30
    assert sorted(rows("settings.md")) == sorted(settings)


def test_every_event_is_documented_once_and_no_other() -> None:
    events = named(r'trail\.record\(\s*"([^"]+)"', *(config.ROOT / "userapi").rglob("*.py"))

    assert len(events) > 15
    assert sorted(rows("events.md")) == sorted(events)
