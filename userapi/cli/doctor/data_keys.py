"""Check of the data keys: each key that a secret in the database needs is in the folder."""

from collections.abc import Iterator

import sqlalchemy as sa

from userapi.core import migrations
from userapi.health.findings import Finding, failure
from userapi.mfa import data_key_queries
from userapi.security import data_keys
from userapi.security.key_folder import KeyFolderError


def check() -> Iterator[Finding]:
    """Check that every secret can be opened."""
    try:
        yield from _find_missing_keys()
    except sa.exc.SQLAlchemyError:
        return  # reported by the health checks


def _find_missing_keys() -> Iterator[Finding]:
    if not migrations.is_current():
        return  # reported by the health checks
    try:
        known = {key.kid for key in data_keys.get_data_keys().all()}
    except KeyFolderError:
        return  # reported by the check of keys
    for kid in data_key_queries.list_needed_kids():
        if kid not in known:
            apps, codes = data_key_queries.count_under_key(data_keys.sealed_prefix(kid), data_keys.digest_prefix(kid))
            yield failure(
                "keys",
                f"DATA_KEY_DIR: The key {kid} is missing, so {apps} authenticator apps and {codes} recovery codes do "
                "not work. Restore it from a backup.",
            )
