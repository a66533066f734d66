"""Checks of the views of an extension, once they are registered: can they be reached, and do their marks hold?"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from userapi.core.environment import ConfigurationError
from userapi.users import permission_names

from .access import MARKED_OUTSIDE
from .extension import Extension
from .staff_views import ANY_STAFF, SUPERUSER

STAFF_SITE = "/admin/"


def check(app: Flask, extension: Extension, before: Iterable[Rule]) -> None:
    """Check the routes that an extension has added.

    Args:
        app: the application.
        extension: the one that was registered last.
        before: the routes of the application without it.

    Raises:
        ConfigurationError: naming the path, or the permission that does not exist.
    """
    taken: dict[str, set[str]] = {}
    for rule in before:
        taken.setdefault(_shape(rule), set()).update(rule.methods or ())
    for rule in _list_rules(app, extension):
        view = app.view_functions[rule.endpoint]
        if "//" in rule.rule:
            raise ConfigurationError(f"blueprints: {rule.rule} has two slashes in a row.")
        if f"{rule.rule}/".startswith(STAFF_SITE):
            raise ConfigurationError(f"blueprints: {rule.rule} is on the staff site. Use a StaffView.")
        if taken.get(_shape(rule), set()) & ((rule.methods or set()) - {"OPTIONS"}):
            raise ConfigurationError(f"blueprints: {rule.rule} is taken by another route.")
        if hasattr(view, MARKED_OUTSIDE):
            raise ConfigurationError(f"blueprints: {rule.rule}: Put the mark below @blueprint.route, not above it.")
    known = app.extensions[permission_names.STORED_PERMISSIONS]
    if unknown := sorted(set(_list_permissions(app, extension)) - known):
        raise ConfigurationError(f"There is no permission {unknown[0]}.")


def _list_rules(app: Flask, extension: Extension) -> list[Rule]:
    names = tuple(f"{blueprint.name}." for blueprint, _prefix in extension.blueprints)
    return [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(names)] if names else []


def _shape(rule: Rule) -> str:
    """A path without the names in it and without a final slash, which makes no difference here."""
    return re.sub(r"<[^>]*>", "<>", rule.rule).rstrip("/")


def _list_permissions(app: Flask, extension: Extension) -> Iterator[str]:
    for rule in _list_rules(app, extension):
        if permission := getattr(app.view_functions[rule.endpoint], "permission", ""):
            yield permission
    for view in extension.staff:
        for name in dir(view):
            needed: Any = getattr(getattr(view, name), "needs", None)
            if isinstance(needed, str) and needed not in (ANY_STAFF, SUPERUSER):
                action, _score, kind = needed.partition("_")
                yield f"{action}_{kind or view.kind}"
