"""The staff site at `/admin/`: Flask-Admin's menu, blueprints and theme over the rules of the other rooms."""

from .site import configure

__all__ = ["configure"]
