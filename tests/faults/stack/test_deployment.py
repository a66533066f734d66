"""Deployments: a role with few privileges, a pooler, a schema one step ahead, SQLite."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import processes
import psycopg
import pytest
from processes import Server, ServiceMissing, status
from stack import Stack

from tests.support import commands, http_server
from tests.support.app_stack import (
    JSON,
    Load,
    Response,
    call,
    complete_users,
    count_incomplete_users,
    get,
    register,
    registrations,
    tokens_for,
)

pytestmark = pytest.mark.stack

Report = Callable[[str], None]

WRITERS = 16
SECONDS_OF_WRITING = 10.0


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "ALTER TABLE users ADD COLUMN mine int",
        "DROP TABLE audit_events",
        "TRUNCATE users",
        "CREATE ROLE mine",
    ],
)
def test_C11_the_serving_role_can_change_rows_but_no_tables(stack: Stack, statement: str) -> None:
    with psycopg.connect(stack.database_url()) as connection:
        connection.execute("UPDATE users SET username = username")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)  # type: ignore[call-overload]


#: An expanding migration of a table in use, and the later contracting one.
EXPAND = (
    "ALTER TABLE users ADD COLUMN nickname varchar(50)",
    "ALTER TABLE users ADD COLUMN points integer NOT NULL DEFAULT 0",
    "CREATE INDEX CONCURRENTLY ix_users_nickname ON users (nickname)",
    "CREATE TABLE badges (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE)",
    "ALTER TABLE users ADD CONSTRAINT ck_users_points CHECK (points >= 0) NOT VALID",
    "ALTER TABLE users VALIDATE CONSTRAINT ck_users_points",
)
CONTRACT = ("DROP TABLE badges", "ALTER TABLE users DROP COLUMN nickname", "ALTER TABLE users DROP COLUMN points")


def test_U04_no_request_fails_while_the_schema_is_upgraded_and_downgraded_under_load(
    stack: Stack, report: Report
) -> None:
    token_pairs = [tokens_for(stack.url, register(stack.url)) for _ in range(8)]
    turns = itertools.count()

    def act(number: int) -> tuple[Response, None]:
        token, path = token_pairs[number]["access_token"], "/userapi/auth/user/"
        if next(turns) % 2:
            return get(stack.url, path, token), None
        return call(stack.url, "PATCH", path, '{"first_name": "Ada"}', token, **JSON), None

    with Load(act) as edits, registrations(stack.url, clients=2) as openings:
        edits.wait_for_more(status=200)
        stack.flask("db", "upgrade", role="userapi_owner")  # has nothing to do and must not block requests
        with psycopg.connect(stack.database_url("userapi_owner"), autocommit=True) as owner:
            owner.execute("SET lock_timeout = '3s'")
            for statement in EXPAND + CONTRACT:
                owner.execute(statement)  # type: ignore[call-overload]
                edits.wait_for_more(responses=10, status=200)

    responses = edits.statuses + openings.statuses
    report(f"{len(EXPAND + CONTRACT)} changes of tables under load: {responses.total()} requests, {dict(responses)}")
    assert (set(edits.statuses), set(openings.statuses)) == ({200}, {201})
    assert openings.acknowledged <= complete_users(stack)


@pytest.fixture
def pooler(stack: Stack) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode with two connections to the PostgreSQL of the stack."""
    try:
        program = processes.program("pgbouncer", "pgbouncer")
    except ServiceMissing as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    port = processes.free_port()
    folder = stack.folder / "pooler"
    folder.mkdir(mode=0o755, exist_ok=True)
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\nuserapi = host={stack.folder} dbname=userapi user=userapi\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 2\nmax_client_conn = 200\n"
    )
    account = processes.account_for(folder)
    server = Server(
        "pooler", [program, settings], stack.logs / "pooler.log", lambda: processes.accepts(port),
        os.environ, folder, signal.SIGINT, account,
    )  # fmt: skip
    server.start()
    yield port
    server.stop()


def test_a_host_behind_a_pooler_in_transaction_mode_works_like_the_others(
    stack: Stack, pooler: int, tmp_path: Path, report: Report
) -> None:
    settings = {
        "DATABASE_URL": f"postgresql://userapi@127.0.0.1:{pooler}/userapi",
        "DATABASE_POOLER": "transaction",
        "TRUSTED_PROXIES": "0",
    }
    with http_server.run_server(tmp_path, stack.environment | settings) as host:
        tokens = tokens_for(host.url, register(host.url))

        def look(_number: int) -> tuple[Response, None]:
            return get(host.url, "/userapi/auth/user/", tokens["access_token"]), None

        with registrations(host.url, clients=6) as writers, Load(look, clients=6) as readers:
            writers.wait_for_more(100)
            readers.wait_for_more(100, status=200)

    report(
        f"behind PgBouncer in transaction mode: {len(writers.acknowledged)} writes acknowledged, "
        f"{len(writers.acknowledged & complete_users(stack))} of them there, {len(readers.responses)} reads"
    )
    assert (set(writers.statuses), set(readers.statuses)) == ({201}, {200})
    assert writers.acknowledged <= complete_users(stack)
    assert count_incomplete_users(stack) == 0


def test_N12_sixteen_parallel_writers_to_one_sqlite_file_all_succeed(tmp_path: Path, report: Report) -> None:
    """Half of the writes read first, and would see stale data if they did not take the lock before."""
    settings = {"RATELIMIT_ENABLED": "false", "PASSWORD_HASH_CONCURRENCY": "7", "WORKER_THREADS": "8"}
    env = commands.environment(f"sqlite:///{tmp_path}/users.db", tmp_path, **settings)
    with http_server.run_server(tmp_path, env) as host:
        token_pairs = [tokens_for(host.url, register(host.url)) for _ in range(WRITERS)]
        turns = [itertools.count() for _ in range(WRITERS)]

        def act(number: int) -> tuple[Response, None]:
            body = f'{{"profile": {{"city": "Bath {next(turns[number])}"}}}}'
            token = token_pairs[number]["access_token"]
            return call(host.url, "PATCH", "/userapi/auth/user/", body, token, **JSON), None

        with Load(act, clients=WRITERS // 2) as edits, registrations(host.url, clients=WRITERS // 2) as openings:
            time.sleep(SECONDS_OF_WRITING)

        assert status(f"{host.url}/readyz") == 200
        cities = [get(host.url, "/userapi/auth/user/", tokens["access_token"]).body for tokens in token_pairs]

    report(
        f"{WRITERS} writers on one SQLite file: {dict(edits.statuses)} edits, {dict(openings.statuses)} registrations"
    )
    assert (set(edits.statuses), set(openings.statuses)) == ({200}, {201})
    for number in range(WRITERS // 2):
        assert cities[number]["profile"]["city"] == f"Bath {next(turns[number]) - 1}"
