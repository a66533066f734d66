"""The browsable API: whatever the API answers is a page for whoever opens its address in a browser."""

from .rendering import configure

__all__ = ["configure"]
