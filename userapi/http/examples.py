"""Examples in the API document that depend on the application."""

from collections.abc import Callable
from typing import Any


class VariableExample:
    """An example that differs between applications.

    It is no dictionary, because flask-smorest copies dictionaries.

    Args:
        current: returns the example in the current application.
    """

    def __init__(self, current: Callable[[], dict[str, Any]]) -> None:
        self.current = current


def resolve_examples(document: Any) -> Any:
    """A part of the API document with the examples of the current application."""
    if isinstance(document, VariableExample):
        return document.current()
    if isinstance(document, dict):
        return {name: resolve_examples(value) for name, value in document.items()}
    if isinstance(document, list):
        return [resolve_examples(value) for value in document]
    return document
