"""Check of the declaration of profile fields: whether the service runs with it, and whether lists can be filtered."""

from collections.abc import Iterator

import sqlalchemy as sa

from userapi.core import migrations
from userapi.health.findings import Finding, ok, warning
from userapi.users import field_key_queries
from userapi.users.declaration import get_declaration


def check() -> Iterator[Finding]:
    """Check the declaration, if there is one."""
    if get_declaration().is_default:
        return
    try:
        if migrations.is_current():
            yield from _check_newest()
            yield from _check_keys()
    except sa.exc.SQLAlchemyError:
        return  # reported by the health checks


def _check_newest() -> Iterator[Finding]:
    from userapi.users.own_fields import history, queries, toml_writer  # not needed without own fields

    declaration = get_declaration()
    newest = queries.find_newest_declaration()
    digest = history.compute_digest(toml_writer.write(declaration.fields))
    if newest is not None and newest.digest != digest:
        yield warning(
            "fields",
            f"PROFILE_FIELDS: The declaration differs from the one that a server last began to serve with, at "
            f"{newest.declared_at:%Y-%m-%d %H:%M} UTC. Restart every server. To see which values do not fit, run "
            "`flask fields check`.",
        )
    else:
        since = "not served yet" if newest is None else f"served since {newest.declared_at:%Y-%m-%d %H:%M} UTC"
        yield ok("fields", f"{len(declaration.fields)} profile fields, {len(declaration.own)} of them own; {since}")


def _check_keys() -> Iterator[Finding]:
    keyed = set(get_declaration().keyed)
    incomplete = keyed - field_key_queries.list_complete(keyed) if keyed else set()
    for name in sorted(incomplete):
        yield warning(
            "fields",
            f"PROFILE_FIELDS: Lists cannot be filtered by {name} yet, because its search keys are incomplete. "
            f"Run `flask fields reindex {name}`.",
        )
