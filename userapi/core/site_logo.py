"""The file of the site's logo: its type is that of its content, whatever its name."""

from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from marshmallow import ValidationError

MAX_LOGO_KILOBYTES = 256

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SVG_ROOT = "http://www.w3.org/2000/svg svg"


class Logo(NamedTuple):
    """A logo.

    Attributes:
        content: the file.
        media_type: `image/svg+xml`, `image/png` or `image/webp`.
    """

    content: bytes
    media_type: str


def read_logo(path: Path) -> Logo:
    """Read a logo.

    Raises:
        ValidationError: it cannot be read, is too large, or is not an image of a known type.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LOGO_KILOBYTES * 1024 + 1)
    except OSError as error:
        raise ValidationError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ValidationError("Not a path of a file.") from error
    if len(content) > MAX_LOGO_KILOBYTES * 1024:
        raise ValidationError(f"{path} is larger than {MAX_LOGO_KILOBYTES} kB. Use a smaller image.")
    media_type = _media_type(content)
    if media_type is None:
        raise ValidationError(f"{path} is not an SVG, PNG or WebP image.")
    return Logo(content, media_type)


def logo_or_none(value: str) -> None:
    """The path of a logo, or nothing."""
    if value:
        read_logo(Path(value))


def _media_type(content: bytes) -> str | None:
    if content.startswith(PNG_SIGNATURE):
        return "image/png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if _is_svg(content) else None


def _is_svg(content: bytes) -> bool:
    """Whether this is a well-formed SVG document, in any encoding, without entities, which can make it huge."""
    parser = expat.ParserCreate(namespace_separator=" ")
    elements: list[str] = []
    parser.StartElementHandler = lambda name, _attributes: elements.append(name)
    parser.EntityDeclHandler = _reject_entity
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return elements[0] == SVG_ROOT


def _reject_entity(*_declaration: object) -> None:
    raise ValueError("The document declares an entity.")
