"""After an account is deleted, neither the file of SQLite nor a dump of PostgreSQL has any of its values."""

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from tests.support import impersonation
from tests.support.api_client import sign_in
from tests.support.factories import PASSWORD, make_account
from tests.support.personal_rows import fill_tables, list_tables_naming_users
from tests.support.relying_party import make_client
from tests.support.sql import execute_sql, fetch_number
from tests.support.staff_client import StaffClient, staff_client
from tests.support.traces import EMAIL, leave_traces
from userapi.core.db import db
from userapi.privacy.personal_tables import LEFT_OUT
from userapi.webhooks import endpoints

DECLARATION = """
[profile.title]
[profile.dob]
[profile.address]
[profile.country]
[profile.city]
[profile.zip]
[profile.company]
type = "line"
find = "beginning"
"""

#: Values that the owner has typed.
TYPED = {
    "first_name": "Zq8given", "last_name": "Zq8family", "username": "zq8nick",
    "profile": {"address": "Zq8street 31", "city": "Zq8town", "country": "Zq8land", "company": "Zq8works"},
}  # fmt: skip


def read_everything(app: Flask) -> bytes:
    """All bytes of the database: the files of SQLite, or a dump."""
    url = sa.make_url(app.config["DATABASE_URL"])
    if url.get_backend_name() == "sqlite":
        return b"".join(Path(f"{url.database}{end}").read_bytes() for end in ("", "-wal"))
    host = str(url.query["host"])
    dump = ["pg_dump", "--host", host, "--username", "postgres", "--dbname", str(url.database)]
    return subprocess.run(dump, check=True, capture_output=True).stdout


def find_values(app: Flask, values: set[str]) -> set[str]:
    """Which of these values the database has, as text or in hexadecimal, whatever their case."""
    stored = read_everything(app).lower()
    return {value for value in values if value.lower().encode() in stored or value.encode().hex().encode() in stored}


def live_a_life(app: Flask, superuser: StaffClient, folder: Path) -> tuple[int, set[str]]:
    """An account with rows in every table that has rows about users, and its values."""
    user_id = leave_traces(app, superuser, folder)
    execute_sql(app, "UPDATE users SET is_staff = false WHERE id = :id", id=user_id)
    support = impersonation.make_support(app)
    assert impersonation.start(support, user_id, f"Requested by {EMAIL}").status_code == 303
    impersonation.stop(support)
    assert app.test_cli_runner().invoke(args=["users", "hold", EMAIL, "--reason", EMAIL]).exit_code == 0
    assert app.test_cli_runner().invoke(args=["users", "release", EMAIL]).exit_code == 0
    for option in ("--actor", "--target"):
        app.test_cli_runner().invoke(args=["audit", "export", str(folder / f"{option}.csv"), option, EMAIL])
    headers = {"Authorization": f"Bearer {sign_in(app, EMAIL)['access_token']}"}
    client = app.test_client()
    for number in range(3):
        typed = {**TYPED, "profile": {**TYPED["profile"], "zip": f"zq8{number}"}}
        assert client.patch("/userapi/auth/user/", json=typed, headers=headers).status_code == 200
    new = {"old_password": PASSWORD, "new_password1": "brittle harbour lantern 42"}
    client.post("/userapi/auth/password/change/", json={**new, "new_password2": new["new_password1"]}, headers=headers)
    superuser.post(f"/admin/users/{user_id}/", **superuser.form(f"/admin/users/{user_id}/") | {"username": "zq8other"})
    existing = {"openid_clients": make_client(app, name="Handbook", scopes="openid").client_id}
    left_out = {*LEFT_OUT, "groups", "users"} - {"openid_client_sessions"}
    filled = fill_tables(app, user_id, "zq7fil", left_out=left_out, existing=existing)
    values = {text for (table, column), text in filled.items() if table != "audit_events" or column == "changes"}
    return user_id, values | {EMAIL, "zq8other", "zq8nick", "Zq8given", "Zq8family", "Zq8street", "Zq8town", "Zq8works"}


@pytest.mark.both
def test_W82_nothing_of_a_deleted_account_is_stored(declare: Callable[..., Flask], tmp_path: Path) -> None:
    app = declare(DECLARATION, IMPERSONATION="true")
    superuser = staff_client(app, is_staff=True, is_superuser=True)
    with app.app_context():
        endpoints.create("https://example.com/", ["*"], maker_id=superuser.id, includes=["user"])
        db.session.commit()
    user_id, values = live_a_life(app, superuser, tmp_path)
    assert len(find_values(app, values)) > 60
    empty = [table for table in list_tables_naming_users() if not fetch_number(app, f"SELECT count(*) FROM {table}")]
    assert empty == ["bulk_targets"]  # IDs, while a job has not reached the users

    headers = {"Authorization": f"Bearer {sign_in(app, superuser.email)['access_token']}"}
    assert app.test_client().delete(f"/userapi/users/{user_id}/", headers=headers).status_code == 204

    assert find_values(app, values) == set()


def test_W82_what_a_reader_kept_in_the_log_is_erased_when_the_service_cleans_up(app: Flask) -> None:
    url = sa.make_url(app.config["DATABASE_URL"])
    if url.get_backend_name() != "sqlite":
        pytest.skip("PostgreSQL has no such log")
    email = make_account(app)
    with closing(sqlite3.connect(str(url.database), isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users")
        app.test_cli_runner().invoke(args=["users", "delete", email, "--yes"])
        assert find_values(app, {email}) == {email}

    app.test_cli_runner().invoke(args=["sessions", "prune"])

    assert find_values(app, {email}) == set()
