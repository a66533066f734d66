"""Checks of what the code of an extension passes to `Extension`: the right things in the right order."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import flask

from userapi.core.environment import ConfigurationError
from userapi.core.hooks import After, Inside, Rule
from userapi.users.field_definition import Field
from userapi.users.permission_names import PermissionKind

from .staff_views import StaffView


def _is_rule(item: Any) -> bool:
    return isinstance(item, Rule) and isinstance(item.name, str) and callable(item.function)


def _is_subscriber(item: Any) -> bool:
    return isinstance(item, Inside | After) and isinstance(item.action, str) and callable(item.function)


def _is_blueprint(item: Any) -> bool:
    if not isinstance(item, tuple) or len(item) != 2:
        return False
    return isinstance(item[0], flask.Blueprint) and isinstance(item[1], str)


def _is_staff_view(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, StaffView)


#: The attributes that are lists: what each has, and how to write it.
LISTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "fields": (lambda item: isinstance(item, Field), 'profile_field("vat_id", "line", …)'),
    "rules": (_is_rule, 'Rule("user.create", function)'),
    "subscribers": (_is_subscriber, 'inside("user.created", function) or after(…)'),
    "blueprints": (_is_blueprint, '(blueprint, "/prefix")'),
    "staff": (_is_staff_view, "a subclass of StaffView"),
    "commands": (lambda item: isinstance(item, click.Command), "a command or group of click"),
    "permissions": (lambda item: isinstance(item, PermissionKind), 'PermissionKind("basket", "Baskets")'),
}

FOLDERS = ("templates", "translations", "migrations")
FUNCTIONS = ("claims", "personal_data")


def check(extension: Any) -> None:
    """Check the attributes of an extension.

    Raises:
        ConfigurationError: naming the attribute, and what it must be.
    """
    for name, (is_right, example) in LISTS.items():
        value = getattr(extension, name)
        items: Iterable[Any] = value if isinstance(value, list | tuple) and not hasattr(value, "_fields") else [None]
        if wrong := [item for item in items if not is_right(item)]:
            found = value if wrong == [None] else wrong[0]
            raise ConfigurationError(f"{name}: {found!r}: Not a list of things such as {example}.")
    for name in FUNCTIONS:
        if (function := getattr(extension, name)) is not None and not callable(function):
            raise ConfigurationError(f"{name}: {function!r}: Not a function.")
    for name in FOLDERS:
        folder = getattr(extension, name)
        if folder is not None and not isinstance(folder, Path):
            raise ConfigurationError(f"{name}: {folder!r}: Not a path.")
        if folder is not None and not folder.is_dir():
            raise ConfigurationError(f"{name}: The folder {folder} does not exist.")
    for subscriber in extension.subscribers:
        if isinstance(subscriber, After) and not (subscriber.name or hasattr(subscriber.function, "__name__")):
            raise ConfigurationError(f"subscribers: after {subscriber.action!r}: The function has no name. Set `name`.")
