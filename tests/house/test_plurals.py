"""Texts that depend on a number have a form for one."""

import re

from tests.support.translation_catalogs import source_messages

#: Placeholders for numbers that can be 1, before a plural. Upper bounds are constants, and called `most`.
NUMBER = r"%\((?:count|days|num|number|passes|rounds|total)\)[sd] (?:[a-z]+ )?[a-z]{3,}s\b"

BOTH_FORMS = r"[a-z]\(s\)"


def test_every_number_before_a_plural_is_marked_with_both_forms() -> None:
    texts = [message.id for message in source_messages() if message.id]
    pairs = [text for text in texts if isinstance(text, tuple)]

    assert len(pairs) > 40
    assert not [text for text in texts if isinstance(text, str) and re.search(f"{NUMBER}|{BOTH_FORMS}", text)]
