"""Checks of extensions, and of templates that replace those of the service."""

from collections.abc import Iterator
from contextlib import suppress

import sqlalchemy as sa
from flask import current_app

from userapi.core import template_folders
from userapi.users import group_queries

from .findings import Finding, failure, ok, warning

#: Where an application stores the views of extensions that anyone may open, by extension.
PUBLIC_VIEWS = "userapi-public-views-of-extensions"


def check() -> Iterator[Finding]:
    """List the public views and missing permissions of extensions, and templates that are broken or out of date."""
    for name, paths in current_app.extensions.get(PUBLIC_VIEWS, {}).items():
        public = f"Anyone may open {', '.join(paths)}." if paths else "None of its plain views is public."
        yield ok("extensions", f"{name} is installed. {public}")
    missing: list[str] = []
    with suppress(sa.exc.SQLAlchemyError):  # another check reports it
        missing = group_queries.list_missing_permissions()
    if missing:
        yield failure(
            "extensions",
            f"The permissions {', '.join(missing)} are not in the database, so no group can have them. Run "
            "`flask db upgrade heads`.",
        )
    for path, reason in template_folders.list_broken():
        yield failure("templates", f"{path} cannot be rendered: {reason}")
    for found in template_folders.list_replacements():
        if not found.is_current:
            reason = "has changed since this file was written" if found.is_marked else "may have changed"
            yield warning(
                "templates",
                f"{found.path} replaces {found.name} of the service, which {reason}. Compare them, then begin the file "
                f"with {template_folders.write_mark(found.name)}",
            )
