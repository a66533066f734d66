"""GitLab: an OpenID provider like any other, at gitlab.com or at a host of its own."""

from .standard import Standard


class Preset(Standard):
    """GitLab."""
