"""Reads on a standby of the database (DATABASE_READ_URL): which ones, and that they miss no commit."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask

from tests.support import commands, standbys
from tests.support.api_client import ApiUser, sign_in
from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.own_database import app_maker, migrated_app
from tests.support.staff_client import sign_in_with_cookies
from tests.support.standbys import Cluster
from userapi.core import standby
from userapi.observability.metrics import get_metrics

pytestmark = pytest.mark.slow

USERS = "/userapi/users/"

#: The statements that the connections of the service executed last, except those about the standby itself.
LAST_STATEMENTS = (
    "SELECT query FROM pg_stat_activity WHERE datname = 'accounts' AND backend_type = 'client backend'"
    " AND query NOT LIKE '%pg_last_wal%' AND query NOT LIKE '%pg_control_system%' AND query <> ''"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A primary and its standby."""
    with standbys.cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def migrated(cluster: Cluster, key_folder: str) -> None:
    """The tables."""
    with migrated_app(cluster.url("primary"), key_folder):
        pass


@pytest.fixture
def make_host(cluster: Cluster, key_folder: str, migrated: None) -> Iterator[Callable[..., Flask]]:
    """Makes app hosts with the settings that are given; by default they read from the standby."""
    with app_maker(cluster.url("primary"), key_folder, DATABASE_READ_URL=cluster.url("standby")) as make:
        yield make


@pytest.fixture
def host(make_host: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An app host that tries the standby for each read."""
    monkeypatch.setattr(standby, "PAUSES", {"behind": 0.0, "failed": 0.0})
    monkeypatch.setattr(standby, "MAX_WAIT", 1.0)
    return make_host()


@pytest.fixture
def staff(host: Flask) -> ApiUser:
    """A superuser."""
    return make_superuser(host)


def make_superuser(app: Flask) -> ApiUser:
    """A superuser who is signed in at a host."""
    email = str(new_user()["email"])
    user_id = make_user(app, email=email, is_staff=True, is_superuser=True)
    return ApiUser(app.test_client(), user_id, email, PASSWORD, sign_in(app, email))


def list_emails(user: ApiUser) -> list[str]:
    """The emails of the users who joined last."""
    response = user.get(USERS, query_string={"ordering": "-date_joined"})
    assert response.status_code == 200, response.text
    return [each["email"] for each in response.get_json()["results"]]


def count(app: Flask, outcome: str) -> int:
    """The number of reads with an outcome."""
    return int(get_metrics(app).standby_reads.labels(outcome)._value.get())


@contextmanager
def behind(cluster: Cluster) -> Iterator[None]:
    """Let the standby replay nothing in the block."""
    cluster.query("standby", "SELECT pg_wal_replay_pause()")
    try:
        yield
    finally:
        cluster.query("standby", "SELECT pg_wal_replay_resume()")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (f"{USERS}?search=okafor&count=true", None),
        ("/admin/users/", None),
        ("/admin/audit/", None),
        ("/admin/users/act/", {"action": "export_csv", "all": "true", "query": ""}),
        ("/admin/audit/export/", {"format": "csv", "query": ""}),
    ],
)
def test_lists_exports_and_staff_pages_are_read_from_the_standby(
    cluster: Cluster,
    host: Flask,
    staff: ApiUser,
    path: str,
    form: dict[str, str] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standby, "MAX_WAIT", 10.0)
    pages = sign_in_with_cookies(host, staff.id)
    cluster.wait_for_replay()

    response = pages.post(path, **form) if form else staff.get(path) if path.startswith(USERS) else pages.get(path)

    assert response.status_code == 200
    assert staff.email in response.text
    assert count(host, "standby") > 0
    assert (count(host, "behind"), count(host, "failed")) == (0, 0)
    assert cluster.query("standby", LAST_STATEMENTS)


def test_a_session_that_has_ended_is_rejected_while_the_standby_is_behind(
    cluster: Cluster, host: Flask, staff: ApiUser
) -> None:
    cluster.wait_for_replay()
    assert staff.email in list_emails(staff)

    with behind(cluster):
        assert staff.post("/userapi/auth/logout/").status_code == 200
        assert staff.get(USERS).status_code == 401

    assert count(host, "standby") == 1


def test_callers_see_what_they_saved_at_another_host_although_the_standby_is_behind(
    cluster: Cluster, host: Flask, make_host: Callable[..., Flask], staff: ApiUser
) -> None:
    other_host = make_host()
    wanted = new_user()
    headers = {"Authorization": f"Bearer {staff.tokens['access_token']}"}
    with behind(cluster):
        assert other_host.test_client().post(USERS, json=wanted, headers=headers).status_code == 201
        assert wanted["email"] in list_emails(staff)
        assert (count(host, "behind"), count(host, "standby")) == (1, 0)
    cluster.wait_for_replay()

    assert wanted["email"] in list_emails(staff)
    assert count(host, "standby") == 1


def test_the_primary_serves_reads_while_the_standby_is_down(
    cluster: Cluster, host: Flask, staff: ApiUser, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.wait_for_replay()
    list_emails(staff)
    cluster.stop("standby")
    try:
        assert staff.email in list_emails(staff)
        assert staff.email in list_emails(staff)
        assert count(host, "failed") == 2
        assert capsys.readouterr().err.count("standby failed") == 1
    finally:
        cluster.start("standby")
    cluster.wait_for_replay()

    assert staff.email in list_emails(staff)
    assert count(host, "standby") == 2
    assert "standby used again" in capsys.readouterr().err


def test_a_standby_that_was_behind_is_not_tried_for_a_while(
    cluster: Cluster, host: Flask, staff: ApiUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby, "PAUSES", {"behind": 1000.0})
    with behind(cluster):
        make_user(host)
        list_emails(staff)
    cluster.wait_for_replay()

    list_emails(staff)

    assert (count(host, "behind"), count(host, "standby")) == (2, 0)


@pytest.mark.parametrize("database", ["postgres", "other"])
def test_a_standby_of_another_database_is_never_read(
    cluster: Cluster, make_host: Callable[..., Flask], database: str
) -> None:
    if database == "other":
        cluster.query("primary", "CREATE DATABASE other TEMPLATE accounts")
        cluster.wait_for_replay()
    url = cluster.url("standby").replace("/accounts?", f"/{database}?")
    host = make_host(DATABASE_READ_URL=url)
    staff = make_superuser(host)
    cluster.wait_for_replay()

    assert staff.email in list_emails(staff)
    assert (count(host, "standby"), count(host, "failed")) == (0, 1)


def test_the_doctor_reports_each_host_and_how_far_the_standby_is_behind(
    cluster: Cluster, make_host: Callable[..., Flask]
) -> None:
    url = f"{cluster.url('primary', 'standby')},127.0.0.1&port=5432,5432,1"
    host = make_host(DATABASE_URL=url)
    cluster.wait_for_replay()

    def report(app: Flask) -> str:
        return app.test_cli_runner().invoke(args=["doctor"]).stdout

    text = report(host)
    assert f"{cluster.socket_folder('primary')}:5432 is the primary" in text
    assert f"{cluster.socket_folder('standby')}:5432 is a standby" in text
    assert "DATABASE_URL: 127.0.0.1:1 cannot be used now: " in text
    assert re.search(r"ok       standby    \d+ KiB behind the primary", text)
    elsewhere = report(make_host(DATABASE_READ_URL=cluster.url("standby").replace("/accounts?", "/postgres?")))
    assert "DATABASE_READ_URL: This is no standby of the database." in elsewhere
    down = report(make_host(DATABASE_READ_URL="postgresql://postgres:hidden@127.0.0.1:1/accounts"))
    assert "warning  standby    DATABASE_READ_URL: connection" in down
    assert "hidden" not in down


def test_a_standby_is_never_used_as_the_primary(
    cluster: Cluster, make_host: Callable[..., Flask], host: Flask, staff: ApiUser
) -> None:
    reversed_host = make_host(DATABASE_URL=cluster.url("standby", "primary")).test_client()
    standby_alone = make_host(DATABASE_URL=cluster.url("standby")).test_client()
    cluster.wait_for_replay()
    headers = {"Authorization": f"Bearer {staff.tokens['access_token']}"}

    assert reversed_host.patch(staff.url, json={"first_name": "Ada"}, headers=headers).status_code == 200
    assert standby_alone.get(staff.url, headers=headers).status_code == 503


def test_without_a_standby_nothing_of_it_is_imported_and_no_connection_is_made(
    cluster: Cluster, migrated: None, tmp_path: Path
) -> None:
    code = "import sys, config, userapi.app; app = userapi.app.create_app(config.load()); app.app_context().push()"
    code += (
        "; from userapi.core.db import db; print(sorted(map(str, db.engines)), 'userapi.core.standby' in sys.modules)"
    )
    env = commands.environment(cluster.url("primary"), tmp_path)

    done = commands.run(sys.executable, "-c", code, env=env, cwd=tmp_path)

    assert done.output.strip() == "['None', 'reading'] False"
