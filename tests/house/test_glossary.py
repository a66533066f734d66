"""The words that the glossary of CONTRIBUTING.md rules out are used in no text and no code."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import config

#: Folders and files that are checked.
CLEAN = ("clients", "userapi", "docs", "tests", "benchmarks", "README.md", "CONTRIBUTING.md")

#: Source files; catalogues and the API document are generated from them.
SUFFIXES = {".css", ".html", ".js", ".md", ".mjs", ".py", ".ts", ".txt"}
GENERATED = ("translations", "vendor", "__pycache__", "node_modules", "dist")

#: Documented names, and names of other projects, that contain such a word.
ALLOWED = (
    "userapi_letters_total", "userapi_outbox_letters", "userapi_outbox_oldest_letter_seconds",  # metrics
    "given_up",  # a value of a metric's label
    "        told: ", "    told: Mapped", "job.told", '"told": dict', "told={}",  # a column of import_jobs
    "changed_meanwhile",  # a problem code
    "ascii_letters", "is_alive", "keep-alive", "letter-spacing",  # names of Python, HTTP and CSS
    "userapi_letters", "letters:", "letters=", ".letters",  # the older metric
)  # fmt: skip


def test_no_text_uses_a_word_that_the_glossary_rules_out() -> None:
    words = banned_words()

    found = [hit for path in checked_files() for hit in hits(path, words)]

    assert len(words) > 40
    assert not found, "use the terms of the glossary in CONTRIBUTING.md:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("The letter was sent.", [1]),
        ("One\nTwo `LETTERS`", [2]),
        ("def send_letter(letterbox):\nclass NewLetter:", [1, 2]),
        ("It ends at\n    # once.", [1]),
        ("The capital letterhead and `userapi_letters_total`", []),
    ],
)
def test_words_are_found_in_texts_and_in_names(tmp_path: Path, text: str, lines: list[int]) -> None:
    path = tmp_path / "page.md"
    path.write_text(text)

    found = list(hits(path, ["letter", "letters", "at once"]))

    assert [hit.rsplit(":", 2)[1] for hit in found] == [str(line) for line in lines]


def banned_words() -> list[str]:
    """The words in code style in the last column of the glossary."""
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| ([^|]+) \|$", contributing(), re.MULTILINE)
    return sorted({word for cell in rows for word in re.findall(r"`([^`]+)`", cell)})


def contributing() -> str:
    return (config.ROOT / "CONTRIBUTING.md").read_text()


def checked_files() -> Iterator[Path]:
    for name in CLEAN:
        path = config.ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in SUFFIXES and file != Path(__file__) and not set(file.parts) & set(GENERATED):
                yield file


def hits(path: Path, words: list[str]) -> Iterator[str]:
    """The places where a file has one of the words, as `file:line: word`.

    A name is split into its words: `send_letter` and `NewLetter` are found, `letterbox` is not. A phrase may
    continue in the next line, after the sign of a comment or a quotation.
    """
    text = path.read_text()
    if path == config.ROOT / "CONTRIBUTING.md":
        text = re.sub(r"^\| .*\|$", "", text, flags=re.MULTILINE)
    for name in ALLOWED:
        text = text.replace(name, " " * len(name))
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "\0", text)
    phrases = "|".join(re.escape(word).replace(r"\ ", r"[\s#*>_]+") for word in sorted(words, key=len, reverse=True))
    for match in re.finditer(rf"(?<![a-z])(?:{phrases})(?![a-z])", text, re.IGNORECASE):
        line = text.count("\n", 0, match.start()) + 1
        name = path.relative_to(config.ROOT) if path.is_relative_to(config.ROOT) else path.name
        yield f"{name}:{line}: {match[0].replace(chr(0), '')}"
