"""A start that cannot work ends with a one-line error, and changes neither the folder nor the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import processes
import pytest
import sqlalchemy as sa

from tests.support import commands
from userapi.security.signing_keys import KeyRing

pytestmark = pytest.mark.slow

#: The invalid variable, its value, and words of the error.
BAD = (
    ("ACCESS_TOKEN_LIFETIME", "a while", "Not a valid integer"),
    ("CELERY_BROKER_URL", "localhost", "Not a broker URL"),
    ("CORS_ORIGINS", "https://app.example.com/login", "Must be an origin"),
    ("DATABASE_POOL_SIZE", "0", "Must be greater"),
    ("DATABASE_URL", "mysql://localhost/users", "Only SQLite and PostgreSQL"),
    ("DATABASE_URL", "sqlite:////nowhere/at/all/users.db", "The folder /nowhere/at/all does not exist"),
    ("DATABASE_URL", "sqlite:////dev/null/users.db", "The folder /dev/null does not exist"),
    ("DATABASE_URL", "postgresql://ada@127.0.0.1:1/users", "Check that the server is running"),
    ("DEFAULT_LANGUAGE", "xx", "Must be one of"),
    ("EMAIL_INTRANET_DOMAINS", "http://local", "Not a host name"),
    ("EMAIL_VERIFICATION", "maybe", "Must be one of"),
    ("FRONTEND_URL", "app", "Not a URL"),
    ("HOST", "[::1]", "without brackets"),
    ("JWT_KEY_DIR", "/dev/null", "/dev/null is not a folder"),
    ("JWT_KEY_DIR", "/dev/null/keys", "/dev/null is not a folder"),
    ("LANGUAGES", "en,xx", "choices"),
    ("LOG_FORMAT", "xml", "Must be one of"),
    ("MAIL_DEFAULT_SENDER", "no-reply", "as no-reply@example.com"),
    ("MAIL_SERVER", "smtp..example.com", "Not a host name"),
    ("MAIL_TEMPLATES", "/nowhere", "This folder does not exist"),
    ("METRICS_TOKEN", "short", "at least 32 characters"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "Not a URL"),
    ("PORT", "http", "Not a valid integer"),
    ("PROMETHEUS_MULTIPROC_DIR", "/nowhere", "This folder does not exist"),
    ("RATELIMIT_LINK", "often", "Not a limit"),
    ("REDIS_URL", "localhost", "Not a Redis URL"),
    ("SECRET_KEY", "short", "at least 32 characters"),
    ("SECRET_KEY_FILE", "/nowhere/secret", "Cannot read"),
    ("SITE_URL", "https://example.com/accounts", "Must be an origin"),
    ("SUPERUSER_EMAIL", "admin@mail.local", "special-use or reserved name"),
    ("SUPERUSER_EMAIL", "jörg@example.com", "Only ASCII characters"),
    ("TRUSTED_PROXIES", "all", "Not a valid integer"),
    ("WORKERS", "0", "Must be greater"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source tree in which nothing was started yet. The tests of this module do not change it."""
    return commands.copy_source_tree(tmp_path_factory.mktemp("bare") / "userapi")


@pytest.fixture
def start(tree: Path) -> Callable[..., commands.CommandResult]:
    """Runs `make run` with only these variables; it must fail and change no file."""

    def begin(**variables: str) -> commands.CommandResult:
        env = commands.bare_environment(PYTHONDONTWRITEBYTECODE="1", PORT=str(processes.free_port()))
        del env["PYTHONPATH"]
        before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
        done = commands.run(*commands.RUN, env=env | variables, cwd=tree)
        assert done.is_one_line, done
        assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before
        return done

    return begin


@pytest.mark.parametrize(("name", "value", "words"), BAD)
def test_a_start_with_an_invalid_setting_changes_nothing(
    start: Callable[..., commands.CommandResult], name: str, value: str, words: str
) -> None:
    done = start(**{name: value})

    assert done.errors.startswith(f"userapi: {name}: ")
    assert words in done.errors


def test_a_file_that_is_no_database_is_not_changed(
    start: Callable[..., commands.CommandResult], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("These are notes, and not a database. " * 50)

    done = start(DATABASE_URL=f"sqlite:///{tmp_path}/notes.txt")

    assert f"DATABASE_URL: {tmp_path}/notes.txt: file is not a database. Use a SQLite file" in done.errors
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(("content", "mode", "words"), [("no key", 0o600, "is not an"), (None, 0o644, "defaultMode")])
def test_an_unusable_key_is_not_changed(
    start: Callable[..., commands.CommandResult], tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    key = KeyRing(tmp_path).add()
    path = tmp_path / f"{key.name}.pem"
    path.write_text(content or path.read_text())
    path.chmod(mode)

    assert words in start(JWT_KEY_DIR=str(tmp_path)).errors
    assert list(tmp_path.iterdir()) == [path]


# --- PostgreSQL -------------------------------------------------------------------------------------------


@contextmanager
def database(server: str, *statements: str, options: str = "") -> Iterator[str]:
    """Create a database; yield its URL."""
    url = sa.make_url(server).update_query_dict({"client_encoding": "utf8"})
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE rejected {options}")
    try:
        with sa.create_engine(url.set(database="rejected"), poolclass=sa.pool.NullPool).begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        yield url.set(database="rejected").render_as_string(hide_password=False)
        with sa.create_engine(url.set(database="rejected"), poolclass=sa.pool.NullPool).connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")) == 0
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE rejected WITH (FORCE)")
            connection.exec_driver_sql("DROP ROLE IF EXISTS limited")
        engine.dispose()


def test_a_missing_database_is_distinguished_from_missing_tables(
    start: Callable[..., commands.CommandResult], postgresql: str
) -> None:
    missing = sa.make_url(postgresql).set(database="accounts").render_as_string(hide_password=False)

    done = start(DATABASE_URL=missing)

    assert 'database "accounts" does not exist' in done.errors
    assert "createdb --encoding=UTF8 accounts" in done.errors
    assert "db upgrade" not in done.errors


def test_a_missing_role_is_named(start: Callable[..., commands.CommandResult], postgresql: str) -> None:
    url = sa.make_url(postgresql).set(username="grace").render_as_string(hide_password=False)

    assert "createuser --pwprompt grace" in start(DATABASE_URL=url).errors


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_store_every_name_is_rejected(
    start: Callable[..., commands.CommandResult], postgresql: str, encoding: str
) -> None:
    options = f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    with database(postgresql, options=options) as url:
        done = start(DATABASE_URL=url)

    assert f"has the encoding {encoding}" in done.errors
    assert "createdb --encoding=UTF8" in done.errors


def test_the_error_for_a_role_that_cannot_create_tables_says_what_to_grant(
    start: Callable[..., commands.CommandResult], postgresql: str
) -> None:
    with database(postgresql, "CREATE ROLE limited LOGIN") as url:
        done = start(DATABASE_URL=sa.make_url(url).set(username="limited").render_as_string(hide_password=False))

    assert 'GRANT USAGE, CREATE ON SCHEMA public TO "limited";' in done.errors


def test_a_time_zone_that_a_pooler_would_keep_is_rejected(
    start: Callable[..., commands.CommandResult], postgresql: str
) -> None:
    with database(postgresql, "ALTER DATABASE rejected SET timezone TO 'Asia/Kolkata'") as url:
        done = start(DATABASE_URL=url, DATABASE_POOLER="transaction")

    assert "DATABASE_POOLER: Connections have the time zone Asia/Kolkata" in done.errors
    assert "SET timezone TO 'UTC'" in done.errors
