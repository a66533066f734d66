"""A missing, weak or wrong setting stops the start with one line that names it."""

from pathlib import Path

import processes
import pytest

import config
from tests.support import commands
from tests.support.app_config import SECRET_KEY
from userapi.app import create_app
from userapi.security import signing_keys

USERS = (*commands.FLASK, "users", "list")


def startup_error(**values: str) -> str:
    with pytest.raises(config.ConfigurationError) as caught:
        config.load({"SECRET_KEY": SECRET_KEY, **values})
    return str(caught.value)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "short",
        SECRET_KEY[:31],
        "change-me-change-me-change-me-change-me",
        "django-insecure-8sUe5HbN4cJ6aGvK3x9QmZt7Rw2LpY",
        "your-secret-key-8sUe5HbN4cJ6aGvK3x9QmZt7Rw2LpY",
        "a" * 64,
        "abcabcabcabcabcabcabcabcabcabcabcabc",
    ],
)
def test_C03_a_weak_or_copied_secret_stops_the_start(secret: str) -> None:
    assert config.load({"SECRET_KEY": SECRET_KEY})["SECRET_KEY"] == SECRET_KEY
    assert startup_error(SECRET_KEY=secret).startswith("SECRET_KEY: ")


def test_C03_a_missing_secret_stops_the_start() -> None:
    with pytest.raises(config.ConfigurationError, match=r"^SECRET_KEY: .*make run"):
        config.load({})


@pytest.mark.parametrize("command", [USERS, commands.RUN])
def test_C03_the_real_commands_exit_1_with_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, SECRET_KEY="short")

    done = commands.run(*command, env=env, cwd=tmp_path)

    assert done.is_one_line, done
    assert "SECRET_KEY: Must have at least 32 characters" in done.errors
    assert "short" not in done.errors


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCESS_TOKEN_LIFETIME", "0"),
        ("ACCESS_TOKEN_LIFETIME", "a while"),
        ("CORS_ORIGINS", "accounts.example.com"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_URL", "mysql://localhost/users"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "users.db"),
        ("EMAIL_VERIFICATION", "maybe"),
        ("FLASK_DEBUG", "perhaps"),
        ("HOST", "[::1]"),
        ("HOST", "http://localhost"),
        ("HOST", "localhost:8000"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("PASSWORD_HASH_CONCURRENCY", "0"),
        ("PASSWORD_MIN_LENGTH", "4"),
        ("PASSWORD_MIN_SCORE", "5"),
        ("PORT", "0"),
        ("PORT", "http"),
        ("REFRESH_REUSE_WINDOW", "3600"),
        ("SESSIONS_PER_USER", "-1"),
        ("SITE_URL", "accounts.example.com"),
        ("SITE_URL", "ftp://accounts.example.com"),
        ("SITE_URL", "https://example.com/accounts"),
        ("SITE_URL", "https://example.com:http"),
        ("SITE_URL", "https://a..example.com"),
        ("SITE_URL", "https://me@example.com"),
        ("CORS_ORIGINS", "https://app.example.com/login"),
        ("CORS_ORIGINS", "https://*.example.com"),
        ("CORS_ORIGINS", "*"),
        ("FRONTEND_URL", "https://app.example.com/?next="),
        ("DATABASE_URL", "postgresql+psycopg2://localhost/users"),
        ("DATABASE_URL", "sqlite+aiosqlite:///users.db"),
        ("DATABASE_URL", "sqlite:///users.db?mode=ro"),
        ("DATABASE_URL", "sqlite://users.db"),
        ("DATABASE_URL", "postgresql://localhost"),
        ("DATABASE_URL", "postgresql://localhost:x/users"),
        ("DATABASE_URL", "postgresql://localhost/users?sslmod=require"),
        ("DATABASE_URL", "postgresql://db1:5432,db2:x/users"),
        ("DATABASE_READ_URL", "sqlite:////srv/users.db"),
        ("DATABASE_READ_URL", "postgresql://db2/users"),
        ("REDIS_URL", "redis+sentinel://s1:26379,s2:26379"),
        ("CELERY_BROKER_URL", "redis+sentinel://s1:x/userapi/1"),
        ("DATABASE_URL", "postgresql://db1,db2"),
        ("DATABASE_URL", "postgresql://me@/users?host=db1,db2,db3&port=1,2"),
        ("MAIL_USERNAME", "caf\udce9"),
        ("SUPERUSER_EMAIL", "admin"),
        ("TRUSTED_PROXIES", "all"),
        ("WORKERS", "0"),
        ("WORKER_THREADS", "many"),
        ("RATELIMIT_SIGN_IN_ADDRESS", "junk"),  # the old name of RATELIMIT_SIGN_IN_IP
    ],
)
def test_C07_an_invalid_value_is_named(name: str, value: str) -> None:
    config.load({"SECRET_KEY": SECRET_KEY})
    assert startup_error(**{name: value}).startswith(f"{name}: ")


def test_C07_all_invalid_settings_are_reported_together() -> None:
    message = startup_error(PORT="x", LOG_LEVEL="loud", SECRET_KEY="short")

    assert [name for name in ("PORT: ", "LOG_LEVEL: ", "SECRET_KEY: ") if name in message] == [
        "PORT: ",
        "LOG_LEVEL: ",
        "SECRET_KEY: ",
    ]


def test_C07_a_missing_file_with_a_value_is_named() -> None:
    assert startup_error(DATABASE_URL_FILE="/nowhere/url").startswith("DATABASE_URL_FILE: Cannot read /nowhere/url")


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("DATABASE_URL", "postgres://me@localhost/users", "postgresql://me@localhost/users"),
        ("DATABASE_URL", "postgresql+psycopg://localhost/users", "postgresql://localhost/users"),
        (
            "DATABASE_URL",
            "postgres://me:a%40b@db1:5432,db2:5433/users?sslmode=require",
            "postgresql://me:a%40b@/users?host=db1%2Cdb2&port=5432%2C5433&sslmode=require",
        ),
        ("DATABASE_URL", "postgresql://[::1]:5432,db2/users", "postgresql:///users?host=::1,db2&port=5432,"),
        ("SITE_URL", "HTTPS://Accounts.Example.com:443/", "https://accounts.example.com"),
        ("SITE_URL", "https://bücher.example", "https://xn--bcher-kva.example"),
        ("SITE_URL", "http://[::1]:8000", "http://[::1]:8000"),
        ("CORS_ORIGINS", "https://App.example.com/,http://bücher.example:80", None),
        ("FRONTEND_URL", "https://app.example.com/accounts/", "https://app.example.com/accounts"),
    ],
)
def test_accepts_another_spelling_of_a_value(name: str, value: str, taken: str | None) -> None:
    expected = taken or ["https://app.example.com", "http://xn--bcher-kva.example"]

    assert config.load({"SECRET_KEY": SECRET_KEY, name: value})[name] == expected


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    empty = dict.fromkeys(config.list_setting_names() - {"SECRET_KEY"}, "") | {"MAIL_PASSWORD_FILE": "", "WORKERS": " "}

    assert config.load({"SECRET_KEY": SECRET_KEY, **empty}) == config.load({"SECRET_KEY": SECRET_KEY})


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe" + SECRET_KEY.encode("utf-16-le"), "UTF-16"), (bytes(range(0x80, 0xB0)), "not UTF-8")],
)
def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "secret").write_bytes(content)

    message = startup_error(SECRET_KEY_FILE=str(tmp_path / "secret"))

    assert message.startswith(f"SECRET_KEY_FILE: {tmp_path}/secret is ")
    assert words in message


def test_a_byte_order_mark_is_not_part_of_a_value(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET_KEY, encoding="utf-8-sig")

    assert config.load({"SECRET_KEY_FILE": str(tmp_path / "secret")})["SECRET_KEY"] == SECRET_KEY


def test_C06_debug_mode_is_rejected_in_production_and_never_opens_a_debugger(tmp_path: Path) -> None:
    assert startup_error(FLASK_DEBUG="1", SITE_URL="https://accounts.example.com").startswith("FLASK_DEBUG: ")
    assert config.load({"SECRET_KEY": SECRET_KEY, "SITE_URL": "https://accounts.example.com"})["DEBUG"] is False

    database = f"sqlite:///{tmp_path}/test.db"
    values = {"SECRET_KEY": SECRET_KEY, "FLASK_DEBUG": "1", "DATABASE_URL": database, "MAIL_DELIVERY": "none"}
    app = create_app(config.load(values))
    assert app.debug is False
    assert app.test_client().get("/console?__debugger__=yes&cmd=resource&f=debugger.js").status_code == 404


def test_C05_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET_KEY}\n")

    assert config.load({"SECRET_KEY_FILE": str(tmp_path / "secret")})["SECRET_KEY"] == SECRET_KEY


@pytest.mark.parametrize("command", [USERS, commands.RUN])
def test_C05_an_unreachable_database_is_named_without_its_password(tmp_path: Path, command: tuple[str, ...]) -> None:
    address = f"127.0.0.1:{processes.free_port()}"
    env = commands.environment(f"postgresql://ada:hidden-word@{address}/users", tmp_path)

    done = commands.run(*command, env=env, cwd=tmp_path)

    assert done.is_one_line, done
    assert "DATABASE_URL: " in done.errors
    assert address in done.errors
    assert "hidden-word" not in done.errors


def test_C05_rejects_a_key_file_that_everyone_can_read(tmp_path: Path) -> None:
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path)
    signing_keys.KeyRing(tmp_path / "keys").add()
    (key,) = (tmp_path / "keys").glob("*.pem")
    key.chmod(0o644)

    done = commands.run(*commands.RUN, env=env | {"PORT": str(processes.free_port())}, cwd=tmp_path)

    assert done.is_one_line, done
    assert f"chmod 600 {key}" in done.errors


def test_C03_rejects_a_key_of_another_type(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "a.pem").write_text("not a key")
    (tmp_path / "keys" / "a.pem").chmod(0o600)
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path, PORT=str(processes.free_port()))

    done = commands.run(*commands.RUN, env=env, cwd=tmp_path)

    assert done.is_one_line, done
    assert "JWT_KEY_DIR: a.pem" in done.errors


def test_a_database_without_tables_is_distinguished_from_an_unreachable_one(tmp_path: Path) -> None:
    done = commands.run(*USERS, env=commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path), cwd=tmp_path)

    assert done.is_one_line, done
    assert "flask db upgrade" in done.errors


def test_an_env_file_that_is_not_utf_8_stops_the_server_with_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("LOG_LEVEL=INFO\n".encode("utf-16"))
    env = commands.environment(f"sqlite:///{tmp_path}/test.db", tmp_path)

    done = commands.run(*commands.RUN, env=env, cwd=tmp_path)

    assert done.is_one_line, done
    assert done.errors.startswith("userapi: .env: .env is UTF-16")
    assert not (tmp_path / "keys").exists()
