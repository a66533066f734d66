"""Search by contained text: an index over the trigrams of emails, usernames and names; and one of inactive users.

PostgreSQL needs the extension pg_trgm, which comes with it, and permission to create extensions in the database (or a
superuser creates it before); SQLite needs version 3.34 with FTS5. Where these are missing, the migration goes on and
searches compare beginnings as before. `flask doctor` says so, and `flask users index` creates the index later.

Revision: 0017
Before it: 0016
"""

import sqlite3

import psycopg.errors
import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SQLITE = (
    """
    CREATE VIRTUAL TABLE users_search USING fts5(
        email_key, username_key, first_name_key, last_name_key,
        content='users', content_rowid='id', tokenize='trigram case_sensitive 1', detail=none, columnsize=0
    )
    """,
    "INSERT INTO users_search(users_search) VALUES ('rebuild')",
    """
    CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
        INSERT INTO users_search(rowid, email_key, username_key, first_name_key, last_name_key)
        VALUES (new.id, new.email_key, new.username_key, new.first_name_key, new.last_name_key);
    END
    """,
    """
    CREATE TRIGGER users_search_delete AFTER DELETE ON users BEGIN
        INSERT INTO users_search(users_search, rowid, email_key, username_key, first_name_key, last_name_key)
        VALUES ('delete', old.id, old.email_key, old.username_key, old.first_name_key, old.last_name_key);
    END
    """,
    """
    CREATE TRIGGER users_search_update
    AFTER UPDATE OF email_key, username_key, first_name_key, last_name_key ON users
    WHEN old.email_key != new.email_key OR old.username_key IS NOT new.username_key
        OR old.first_name_key != new.first_name_key OR old.last_name_key != new.last_name_key
    BEGIN
        INSERT INTO users_search(users_search, rowid, email_key, username_key, first_name_key, last_name_key)
        VALUES ('delete', old.id, old.email_key, old.username_key, old.first_name_key, old.last_name_key);
        INSERT INTO users_search(rowid, email_key, username_key, first_name_key, last_name_key)
        VALUES (new.id, new.email_key, new.username_key, new.first_name_key, new.last_name_key);
    END
    """,
)

UNAVAILABLE = (
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.UndefinedFile,
    psycopg.errors.UndefinedObject,
)


def upgrade() -> None:
    inactive = sa.column("is_active", sa.Boolean).is_(False)
    op.create_index(
        "ix_users_inactive", "users", ["date_joined", "id"], postgresql_where=inactive, sqlite_where=inactive
    )
    made = _postgresql() if op.get_bind().dialect.name == "postgresql" else _sqlite()
    if not made:
        print("Searches will compare beginnings only, because trigrams are not available. Run: flask doctor")


def _postgresql() -> bool:
    try:
        with op.get_bind().begin_nested():
            op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            op.execute(
                "CREATE INDEX ix_users_search ON users USING gin ((email_key || ' ' || coalesce(username_key, '') "
                "|| ' ' || first_name_key || ' ' || last_name_key) gin_trgm_ops)"
            )
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, UNAVAILABLE):
            return False
        raise
    op.execute("ANALYZE users")  # the search needs to know how common a text is
    return True


def _sqlite() -> bool:
    try:
        for statement in SQLITE:
            op.execute(statement)
    except sa.exc.OperationalError as error:
        if "no such module" in str(error.orig) or "no such tokenizer" in str(error.orig):
            return False
        raise
    if sqlite3.sqlite_version_info >= (3, 42):
        op.execute("INSERT INTO users_search(users_search, rank) VALUES ('secure-delete', 1)")
    return True


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX IF EXISTS ix_users_search")
    else:
        for event in ("insert", "delete", "update"):
            op.execute(f"DROP TRIGGER IF EXISTS users_search_{event}")
        op.execute("DROP TABLE IF EXISTS users_search")
    op.drop_index("ix_users_inactive", "users")
