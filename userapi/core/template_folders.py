"""Where templates are: the folder of the deployer first, then those of extensions, then ours.

A file that replaces one of the service begins with the mark `{# userapi: pages/login.html 1a2b3c4d #}`. The number is a
digest of our file when the replacement was written, so `flask doctor` can report that ours has changed since (decision
0079).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import cast

import jinja2
from flask import Flask, current_app

from .folders import PACKAGE

TEMPLATES = PACKAGE / "templates"

#: The setting for a folder that has only emails, without the folder `mail/`.
EMAILS_ONLY = "MAIL_TEMPLATES"

#: Where an application stores its folders.
FOLDERS = "userapi-template-folders"

#: How the names of templates end.
SUFFIXES = (".html", ".txt")

MARK = re.compile(r"\{#-?\s*userapi:\s*(?P<name>\S+)\s+(?P<digest>[0-9a-f]{8})\s*-?#\}")


@dataclass(frozen=True)
class Replacement:
    """A file that replaces one of our templates.

    Attributes:
        name: of the template, such as `pages/login.html`.
        path: of the file.
        is_marked: whether the file has a mark.
        is_current: whether it has the mark of our present template.
    """

    name: str
    path: Path
    is_marked: bool
    is_current: bool


def configure(app: Flask) -> None:
    """Look for templates in the folders of the settings first."""
    app.extensions[FOLDERS] = []
    app.jinja_loader = jinja2.ChoiceLoader([cast(jinja2.BaseLoader, app.jinja_loader)])
    for setting, below in (("TEMPLATES", ""), (EMAILS_ONLY, "mail")):
        if app.config[setting]:
            add_folder(app, Path(app.config[setting]), below)


def add_folder(app: Flask, folder: Path, below: str = "") -> None:
    """Look for templates in a folder before ours, and after those that were added before.

    Args:
        app: the application.
        folder: the folder.
        below: what the names of its templates begin with.
    """
    loader: jinja2.BaseLoader = jinja2.FileSystemLoader(folder)
    loaders = cast(jinja2.ChoiceLoader, app.jinja_loader).loaders
    cast(list[jinja2.BaseLoader], loaders).insert(-1, jinja2.PrefixLoader({below: loader}) if below else loader)
    app.extensions[FOLDERS].append((folder, below))


def list_replacements() -> Iterator[Replacement]:
    """The files that replace templates of the service."""
    folders: list[tuple[Path, str]] = current_app.extensions[FOLDERS]
    for folder, below in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = str(Path(below) / path.relative_to(folder))
            if (TEMPLATES / name).is_file():
                mark = MARK.search(path.read_text("utf-8", "replace"))
                yield Replacement(name, path, mark is not None, mark is not None and mark["digest"] == digest(name))


def list_broken() -> Iterator[tuple[Path, str]]:
    """The templates in the added folders that cannot be compiled, each with the reason in one line."""
    folders: list[tuple[Path, str]] = current_app.extensions[FOLDERS]
    for folder, _below in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES):
            try:
                current_app.jinja_env.compile(path.read_text("utf-8"), str(path), str(path))
            except (jinja2.TemplateError, UnicodeDecodeError) as error:
                line = getattr(error, "lineno", None)
                yield path, f"{f'line {line}: ' if line else ''}{' '.join(str(error).split())}"


def digest(name: str) -> str:
    """The digest of one of our templates, for the mark."""
    return sha256((TEMPLATES / name).read_bytes()).hexdigest()[:8]


def write_mark(name: str) -> str:
    """The first line of a file that replaces one of our templates; it leaves no trace in what is rendered."""
    return f"{{#- userapi: {name} {digest(name)} -#}}"
