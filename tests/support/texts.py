"""The texts on pages, and the problems of the service, which tests of texts read."""

from collections.abc import Iterator
from html.parser import HTMLParser

from userapi.core.problems import Problem

SPOKEN_ATTRIBUTES = (
    "aria-label",
    "placeholder",
    "title",
    "alt",
    "data-confirm",
    "data-count",
    "data-failed",
    "data-label",
)

#: Elements whose contents are code, or in a fixed language.
SILENT = ("script", "style", "code", "time")


def problem_classes(kind: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """The problems of the service, without those of extensions, which other tests make."""
    yield kind
    for problem_class in kind.__subclasses__():
        if problem_class.__module__.startswith("userapi."):
            yield from problem_classes(problem_class)


class Words(HTMLParser):
    """The texts on a page, including attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.silent: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if self.silent or tag in SILENT or (tag != "html" and "lang" in named):
            if tag not in ("input", "meta", "link", "br", "hr"):
                self.silent.append(tag)
            return
        self.found += [named[name] or "" for name in SPOKEN_ATTRIBUTES if name in named]

    def handle_endtag(self, tag: str) -> None:
        if self.silent and self.silent[-1] == tag:
            self.silent.pop()

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.found.append(data.strip())
