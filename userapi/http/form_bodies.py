"""Strict parsing of forms: invalid UTF-8 and syntax are errors; Werkzeug would replace or drop the data."""

import io
from typing import IO, Any
from urllib.parse import parse_qsl

from flask import Request
from flask_babel import gettext as _
from werkzeug.datastructures import Headers
from werkzeug.formparser import FormDataParser, MultiPartParser

from userapi.core.problems import MalformedBody

#: An encoding with one character per byte, so that texts can be decoded after the body is split.
BYTE_BY_BYTE = "iso-8859-1"


class _PartsParser(MultiPartParser):
    """Splits a multipart body into undecoded texts with the encodings of their parts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=list, **options)  # type: ignore[arg-type]
        self.encodings: list[str] = []

    def get_part_charset(self, headers: Headers) -> str:
        """Called once for each text."""
        self.encodings.append(super().get_part_charset(headers))
        return BYTE_BY_BYTE


class StrictFormParser(FormDataParser):
    """Parses a form.

    Raises:
        MalformedBody: the form is not UTF-8, or not of the media type that it is sent as.
        RequestEntityTooLarge: as in Werkzeug's own parser.
    """

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> Any:
        """The rest of the stream, the texts and the files."""
        try:
            if mimetype == "multipart/form-data":
                texts, files = self._parts(stream, (options or {}).get("boundary", ""), content_length)
            elif mimetype == "application/x-www-form-urlencoded":
                texts, files = parse_qsl(stream.read().decode(), keep_blank_values=True, errors="strict"), []
            else:
                texts, files = [], []
        except UnicodeDecodeError as error:
            raise MalformedBody(
                _("The body is not valid UTF-8. Encode the form as UTF-8 and send it again.")
            ) from error
        except ValueError as error:
            raise MalformedBody(
                _("The body is not a valid form of the media type in the Content-Type header.")
            ) from error
        if any(name is None for name, _value in (*texts, *files)):
            raise MalformedBody(_("A part of the form has no name."))
        return stream, self.cls(texts), self.cls(files)

    def _parts(self, stream: IO[bytes], boundary: str, content_length: int | None) -> tuple[list[Any], list[Any]]:
        if content_length is None:
            whole = stream.read()
            stream, content_length = io.BytesIO(whole), len(whole)
        if not content_length:
            return [], []
        if not boundary:
            raise ValueError("no boundary")
        parser = _PartsParser(
            stream_factory=self.stream_factory,
            max_form_memory_size=self.max_form_memory_size,
            max_form_parts=self.max_form_parts,
        )
        parsed: Any = parser.parse(stream, boundary.encode("ascii"), content_length)
        texts, files = parsed
        decoded = [
            (name, text.encode(BYTE_BY_BYTE).decode(encoding))
            for (name, text), encoding in zip(texts, parser.encodings, strict=True)
        ]
        return decoded, list(files)


class StrictRequest(Request):
    """A request whose forms are read strictly."""

    form_data_parser_class = StrictFormParser
