"""What staff and operators do to accounts that their owners have closed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.support.api_client import ApiUser
from tests.support.closed_accounts import close, closing_token, delete_due, restore
from tests.support.import_files import as_jsonl, import_command, user_record
from tests.support.sql import execute_sql, fetch_number, fetch_rows
from userapi.core import clock

Days = Callable[[float], None]


def test_W80_the_link_works_after_staff_corrected_only_the_case_of_the_address(
    app: Flask, user: ApiUser, superuser: ApiUser
) -> None:
    close(user)
    token = closing_token(app, user.email)
    assert superuser.patch(user.url, json={"email": user.email.upper()}).status_code == 200

    assert restore(app, token).status_code == 200

    assert fetch_number(app, f"SELECT count(*) FROM users WHERE email = '{user.email.upper()}'") == 1


@pytest.mark.both
def test_W81_an_import_neither_restores_a_closed_account_nor_closes_one_that_it_deactivates(
    app: Flask, user: ApiUser, other_user: ApiUser, tmp_path: Path, days_later: Days
) -> None:
    close(user)
    execute_sql(app, "UPDATE users SET closes_at = :now WHERE id = :id", now=clock.now(), id=other_user.id)
    records = [user_record(email=user.email, is_active=True), user_record(email=other_user.email, is_active=False)]

    result = import_command(app, tmp_path)(as_jsonl(*records), "--on-conflict", "update")

    assert "2 updated" in result.stdout
    rows = fetch_rows(app, "SELECT id, first_name, is_active, closes_at FROM users ORDER BY id")
    assert [(row.first_name, bool(row.is_active), bool(row.closes_at)) for row in rows] == [
        ("Ada", False, True),
        ("Ada", False, False),
    ]
    days_later(15)
    assert delete_due(app) == 1
