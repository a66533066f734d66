"""The browsable API: whatever the API answers is a page to everyone who opens its URL in a browser."""

from .rendering import configure

__all__ = ["configure"]
