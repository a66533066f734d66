"""Adds extensions to an application; only the factory calls this, and only if there are any."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from flask import Flask

from userapi.admin import site
from userapi.audit import subscribers
from userapi.core import hooks, i18n, migrations, template_folders
from userapi.core.environment import ConfigurationError
from userapi.health import extensions as health
from userapi.html import icons
from userapi.http import api_document, openapi
from userapi.users import permission_names

from . import view_checks
from .access import GUARDED, page_context
from .extension import Extension

#: Where an application stores its extensions.
EXTENSIONS = "userapi-extensions"

COMMANDS_OF_FLASK = ("db", "routes", "run", "shell")


def prepare(app: Flask, extensions: Sequence[Any]) -> None:
    """Add what other parts of the application need before they are configured.

    Raises:
        ConfigurationError: one is not an extension, two have the same name, or something else is wrong; in one line.
    """
    for extension in extensions:
        if not isinstance(extension, Extension):
            raise ConfigurationError(f"EXTENSIONS: {extension!r} is not a userapi.extending.Extension.")
    _reject_doubles("extension", (extension.name for extension in extensions))
    kinds = [kind for extension in extensions for kind in extension.permissions]
    _reject_doubles("permissions", (kind.name for kind in kinds))
    app.extensions[EXTENSIONS] = tuple(extensions)
    permission_names.configure(app, kinds)
    app.extensions[api_document.PACKAGES] = api_document.OURS.union(*map(_list_packages, extensions))
    for extension in extensions:
        _register_hooks(app, extension)
        if extension.templates is not None:
            template_folders.add_folder(app, extension.templates)
        if extension.translations is not None:
            i18n.add_translations(app, extension.translations)
        if extension.models is not None and extension.migrations is not None:
            branch = migrations.Branch(extension.name, extension.migrations, extension.models.metadata)
            migrations.add_branch(app, branch)


def _list_packages(extension: Extension) -> set[str]:
    """The packages with the code of an extension."""
    modules = [blueprint.import_name for blueprint, _prefix in extension.blueprints]
    modules += [function.__module__ for _name, function in extension.rules]
    return {module.partition(".")[0] for module in modules}


def _register_hooks(app: Flask, extension: Extension) -> None:
    try:
        hooks.register(
            app,
            extension.name,
            rules=extension.rules,
            inside=[each for each in extension.subscribers if isinstance(each, hooks.Inside)],
            after=[each for each in extension.subscribers if isinstance(each, hooks.After)],
            claims=extension.claims,
            personal_data=extension.personal_data,
        )
        for subscriber in extension.subscribers:
            subscribers.require_action(extension.name, subscriber.action)
    except hooks.InvalidHook as error:
        raise ConfigurationError(f"EXTENSIONS: {error}") from error


def register(app: Flask, api: api_document.Api) -> None:
    """Add blueprints, staff pages and commands.

    Raises:
        ConfigurationError: something of an extension does not fit; in one line.
    """
    extensions: tuple[Extension, ...] = app.extensions[EXTENSIONS]
    for extension in extensions:
        before = list(app.url_map.iter_rules())
        try:
            _register_views(app, api, extension)
            if any(isinstance(blueprint, openapi.Blueprint) for blueprint, _prefix in extension.blueprints):
                api.write_document()  # operations that it cannot describe are an error of the start
            view_checks.check(app, extension, before)
            for command in extension.commands:
                if command.name in (*COMMANDS_OF_FLASK, *app.cli.list_commands(click.Context(app.cli))):
                    raise ConfigurationError(f"There is another command {command.name}.")
                app.cli.add_command(command)
        except Exception as error:  # whatever Flask raises about code that does not fit
            raise ConfigurationError(f"EXTENSIONS: {extension.name}: {' '.join(str(error).split())}") from error


def _register_views(app: Flask, api: api_document.Api, extension: Extension) -> None:
    for blueprint, prefix in extension.blueprints:
        registry = api if isinstance(blueprint, openapi.Blueprint) else app
        registry.register_blueprint(blueprint, url_prefix=prefix)
        if registry is app:
            app.template_context_processors[blueprint.name].append(page_context)
    app.extensions.setdefault(health.PUBLIC_VIEWS, {})[extension.name] = _list_public_paths(app, extension)
    for view in extension.staff:
        icons.draw_icon(view.menu_icon)  # without it, no page of the staff site could be shown
        site.add_view(app, view, view.menu_title, view.menu_icon, f"{extension.name}/{view.path}")


def _list_public_paths(app: Flask, extension: Extension) -> list[str]:
    """The paths of the views of plain blueprints that no mark closes."""
    names = [found.name for found, _prefix in extension.blueprints if not isinstance(found, openapi.Blueprint)]
    return sorted(
        {
            rule.rule
            for rule in app.url_map.iter_rules()
            if rule.endpoint.startswith(tuple(f"{name}." for name in names))
            and not hasattr(app.view_functions[rule.endpoint], GUARDED)
        }
    )


def _reject_doubles(what: str, names: Iterator[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigurationError(f"EXTENSIONS: {what} {name} exists twice.")
        seen.add(name)
