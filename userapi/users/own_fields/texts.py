"""Texts of the declaration in several languages, such as the label of a field."""

from collections.abc import Iterator
from dataclasses import dataclass

from userapi.core.i18n import get_language_tag

#: The language that a single text is in, and that stands in for missing ones.
ENGLISH = "en"


@dataclass(frozen=True)
class TextByLanguage:
    """A text in one or several languages; as a string, it is in the current language.

    Attributes:
        texts: pairs of the BCP 47 tag of a language and the text.
    """

    texts: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        by_tag = dict(self.texts)
        tag = get_language_tag()
        for known in (tag, tag.partition("-")[0], ENGLISH):
            if known in by_tag:
                return by_tag[known]
        return self.texts[0][1]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.texts)

    def __bool__(self) -> bool:
        return bool(self.texts)
