"""Ids of rows in forms and queries."""

from userapi.core.problems import NotFound
from userapi.http.openapi import MAX_ROW_ID


def parse_row_id(text: str | None) -> int:
    """The id of a row that a form or a query has. In a path, write `<row_id:basket_id>`.

    Raises:
        NotFound: it is missing or not a number that an id can have.
    """
    if text is not None and text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ROW_ID)):
        number = int(text)
        if number <= MAX_ROW_ID:
            return number
    raise NotFound
