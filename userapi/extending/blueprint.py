"""Blueprints of extensions that are part of the API."""

from collections.abc import Callable
from typing import Any, TypeVar

from userapi.http import openapi

View = TypeVar("View", bound=Callable[..., Any])


class Blueprint(openapi.Blueprint):
    """A blueprint of the API: its operations require sign-in unless they are marked otherwise."""

    @staticmethod
    def requires(permission: str) -> Callable[[View], View]:
        """Require a member of staff with a permission, such as `change_basket`."""
        return openapi.Blueprint.staff_only(permission)
