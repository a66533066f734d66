"""Exports with second factors."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from tests.support.old_site import Import, OldSite, SetTime, browser_with, enter, show_code, totp_device, user
from tests.support.passkeys import sign_in_by_passkey
from tests.support.sql import execute_sql, fetch_rows

pytestmark = pytest.mark.both


def export(app: Flask, path: Path, *options: str) -> Result:
    """Run `flask users export`."""
    return app.test_cli_runner().invoke(args=["users", "export", str(path), *options])


def test_S82_an_export_has_no_factors_unless_requested(
    app: Flask, old_site: OldSite, import_file: Import, tmp_path: Path
) -> None:
    import_file(old_site.dump)

    export(app, tmp_path / "users.jsonl", "--with-passwords")

    text = (tmp_path / "users.jsonl").read_text()
    assert "second_factors" not in text
    assert old_site.owners["otp"].secret not in text
    csv = export(app, tmp_path / "users.csv", "--with-factors")
    assert (csv.exit_code, "Only JSON Lines can contain second factors" in csv.stderr) == (2, True)


def test_S82_exported_factors_work_after_their_import_into_another_database(
    app: Flask, old_site: OldSite, import_file: Import, tmp_path: Path, set_time: SetTime
) -> None:
    used, passkey = old_site.owners["otp_used"], old_site.owners["passkey"].passkey
    import_file(old_site.dump)

    assert export(app, tmp_path / "users.jsonl", "--with-passwords", "--with-factors").exit_code == 0

    event = fetch_rows(app, "SELECT changes FROM audit_events WHERE action = 'users.exported'")[0].changes
    event = json.loads(event) if isinstance(event, str) else event
    assert (event["factors"], event["passwords"]) == ([None, True], [None, True])
    execute_sql(app, "DELETE FROM users")
    result = import_file((tmp_path / "users.jsonl").read_text(), name="moved.jsonl")
    # Recovery codes stay behind, so the user who had nothing else is locked too.
    assert "Users with second factors: 16, of whom 5 have a locked second step." in result.stdout
    set_time(used.step * 30 + 15)
    shown = [show_code(used.secret, used.step + number) for number in (0, 1)]
    assert [enter(app, used, code) for code in shown] == ["invalid_code", "otp"]
    assert passkey is not None
    assert sign_in_by_passkey(app, browser_with(passkey)).status_code == 200


def test_S82_a_second_step_that_its_owner_turned_off_stays_off(app: Flask, import_file: Import, tmp_path: Path) -> None:
    import_file([user(1), totp_device(1)])
    execute_sql(app, "UPDATE second_factors SET active_since = NULL")

    export(app, tmp_path / "users.jsonl", "--with-factors")
    execute_sql(app, "DELETE FROM users")
    import_file((tmp_path / "users.jsonl").read_text(), name="moved.jsonl")

    rows = fetch_rows(app, "SELECT active_since, failures FROM second_factors")
    assert [tuple(row) for row in rows] == [(None, 0)]
